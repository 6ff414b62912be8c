"""Arrows between the packages run one way, and from package to package only public names are used."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALLOWED = {
    "handlers": set(),
    "bulk": {"handlers"},
    "explainers": set(),
    "evaluation": set(),
    "experiments": {"explainers", "evaluation"},
    "export": {"explainers", "handlers"},
    "cli": {"bulk", "evaluation", "export", "experiments", "explainers", "handlers"},
}
PUBLIC_ONLY = (
    "bulk",
    "explainers",
    "export",
)  # the handlers are files in an archive: there is no one place to ask
PUBLIC = {
    "smoothserve.bulk",
    "smoothserve.explainers",
    "smoothserve.explainers.capture",
    "smoothserve.export",
}


def imports(path: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Module and names of each import of smoothserve in a file, wherever it stands in it."""
    package = ["smoothserve", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found = [(module, tuple(alias.name for alias in node.names))]
        elif isinstance(node, ast.Import):
            found = [(alias.name, ()) for alias in node.names]
        else:
            continue
        yield from ((module, names) for module, names in found if module.split(".")[0] == "smoothserve")


def files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("folder", ALLOWED)
def test_arrows_run_one_way(folder: str) -> None:
    reached = set()
    for path in files(folder):
        for module, names in imports(path):
            package = module.split(".")[1] if "." in module else names[0]
            assert package in {folder, *ALLOWED[folder]}, f"{path} imports {module}"
            reached.add(package)
    assert reached >= {folder, *ALLOWED[folder]}, "the walk misses imports"


@pytest.mark.parametrize("folder", ["export", "cli", "benchmarks"])
def test_other_packages_are_asked_for_public_names_only(folder: str) -> None:
    for path in files(folder):
        for module, names in imports(path):
            package = module.split(".")[1] if "." in module else ""
            if package in PUBLIC_ONLY and package != folder:
                assert module in PUBLIC, f"{path} imports {module}"
                public = importlib.import_module(module).__all__
                assert set(names) <= {*public}, f"{path} imports {names}"
                assert names, f"{path} imports {module} whole"


def test_commands_import_no_commands() -> None:
    for path in files("cli/commands"):
        if path.name != "__init__.py":
            for module, _ in imports(path):
                assert not module.startswith("smoothserve.cli.commands"), f"{path} imports {module}"
