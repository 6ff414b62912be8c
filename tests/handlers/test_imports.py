"""What the files of handlers import: arrows run one way, and nothing that a serving host need not have."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from smoothserve import handlers
from smoothserve.handlers.protocols import PROTOCOLS

ROOT = Path(handlers.__file__).parent
NAME = "smoothserve.handlers"
# A part imports from rows above its own only. So images, card, errors and limits know nothing of protocols,
# protocols nothing of the service, and the service nothing of TorchServe, KServe, Ray and Triton.
ROWS = [
    {"batches", "errors", "metrics", "suggestion"},
    {"address", "card", "contents", "devices", "limits"},
    {"answer", "arguments", "images", "noise"},
    {"captured"},
    {"graph", "panels", "protocols", "scores"},
    {"records"},
    {"service"},
    {"describe", "selfcheck"},
    {"replay", "served"},
    {"kserve", "ray", "torchserve", "triton"},
]
NEEDED = {"numpy", "onnxruntime", "PIL", "smoothserve"}
OF_SERVERS = {  # adapter, or what adapters share -> what their servers bring
    "served": {"yaml"},
    "ray": {"psutil", "pydantic", "ray", "starlette"},
    "torchserve": {"ts"},
    "triton": {"triton_python_backend_utils"},
    "kserve": {"fastapi", "grpc", "grpc_interceptor", "kserve", "prometheus_client", "starlette"},
}
FILES = sorted(ROOT.rglob("*.py"))


def module(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join((NAME, *(part for part in parts if part != "__init__")))


MODULES = {module(file) for file in FILES}


def imported(file: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, at its top or in its functions."""
    package = module(file) if file.name == "__init__.py" else module(file).rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] + "." if node.level else ""
            source = f"{above}{node.module or ''}".rstrip(".")
            inner = [f"{source}.{alias.name}" for alias in node.names]
            yield from {name if name in MODULES else source for name in inner}


def part(name: str) -> str:
    """The file or folder at the top of handlers to which a module belongs."""
    return name.removeprefix(f"{NAME}.").partition(".")[0]


def row(name: str) -> int:
    return next(number for number, parts in enumerate(ROWS) if part(name) in parts)


def test_imports_are_found() -> None:
    assert {f"{NAME}.card", f"{NAME}.protocols.base", "numpy"} <= set(imported(ROOT / "service.py"))
    assert f"{NAME}.selfcheck" in set(imported(ROOT / "torchserve/handler.py"))
    assert f"{NAME}.images.colormaps" in set(imported(ROOT / "images/picture.py"))
    assert "ts.metrics.metric_type_enum" in set(imported(ROOT / "torchserve/metrics.py"))


def test_every_part_has_its_row() -> None:
    assert {part(name) for name in MODULES - {NAME}} == set().union(*ROWS)


@pytest.mark.parametrize("file", FILES, ids=module)
def test_arrows_run_one_way(file: Path) -> None:
    for name in imported(file):
        if name.startswith(NAME) and part(name) != part(module(file)):
            assert row(name) < row(module(file)), f"{module(file)} imports {name}"


@pytest.mark.parametrize("file", FILES, ids=module)
def test_only_what_every_serving_host_has(file: Path) -> None:
    """Neither torch nor onnx, nor another package of smoothserve; a server's own only in its adapter."""
    allowed = NEEDED | OF_SERVERS.get(part(module(file)), set())
    for name in imported(file):
        top = name.partition(".")[0]
        assert top in sys.stdlib_module_names or top in allowed, f"{module(file)} imports {name}"
        assert top != "smoothserve" or name.startswith(NAME), f"{module(file)} imports {name}"


def test_a_protocol_is_known_to_the_list_alone() -> None:
    """So that a new one is a file of its own and an entry there."""
    for protocol in PROTOCOLS:
        name = type(protocol).__module__
        assert [module(file) for file in FILES if name in imported(file)] == [f"{NAME}.protocols"]
