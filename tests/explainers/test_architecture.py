"""Which part of explainers may know which, and that knowledge of operations has one home."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import smoothserve.explainers as package
from smoothserve.explainers.fused import WRITTEN_OUT
from smoothserve.explainers.graph.traits import Trait, having
from smoothserve.explainers.passes import CAPTURED, TRACED

ROOT = Path(package.__file__).parent

# part -> the parts of explainers that it may import
MAY_IMPORT = {
    "errors": set(),
    "heatmap": set(),
    "chunks": set(),
    "graph": set(),
    "tracing": set(),
    "passes": {"graph"},
    "capture": {"errors", "graph", "passes", "tracing"},
    "averaging": {"graph"},
    "fused": {"averaging", "graph", "passes"},
    "portable": {"fused", "graph", "passes"},
    "objective": {"averaging", "errors", "graph"},
    "reverse": {"averaging", "errors", "graph", "objective"},
    "propagation": {"averaging", "graph", "reverse"},
    "rules": {"averaging", "fused", "graph", "propagation", "reverse"},
    "relevance": {"graph", "passes", "reverse"},
    "methods": {"averaging", "chunks", "errors", "graph", "propagation", "relevance", "reverse"},
    "model": {"chunks", "errors", "graph", "methods", "objective", "propagation"},
    "trace": {"errors", "graph", "heatmap", "methods", "objective", "passes", "reverse", "rules"},
    "explain": {"capture", "errors", "graph", "methods", "model", "objective", "trace", "tracing"},
    "__init__": {
        "errors",
        "explain",
        "graph",
        "heatmap",
        "methods",
        "model",
        "objective",
        "propagation",
        "portable",
        "reverse",
        "tracing",
    },
}
FILES = sorted(ROOT.rglob("*.py"))


def part(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(file: Path) -> set[str]:
    """What a file imports: parts of explainers, and other packages of smoothserve as ``smoothserve.NAME``."""
    found = set()
    where = file.relative_to(ROOT).parts
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = where[: len(where) - node.level]
            names = [*base, *(node.module or "").split(".")]
            names = [name for name in names if name]
            found |= {names[0]} if names else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("smoothserve"):
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("smoothserve")}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_arrows_run_one_way(file: Path) -> None:
    unexpected = imported(file) - MAY_IMPORT[part(file)] - {part(file)}
    assert not unexpected, f"{part(file)} imports {sorted(unexpected)}"


def test_every_part_is_there() -> None:
    assert {part(file) for file in FILES} == set(MAY_IMPORT)


def is_operation(node: ast.AST) -> bool:
    """Whether an expression names an ATen operation: ``aten.relu.default`` or ``torch.ops.aten.relu``."""
    return (
        isinstance(node, ast.Attribute)
        and "aten." in f"{ast.unparse(node)}."
        and "(" not in ast.unparse(node)
    )


def lists_of_operations(source: str) -> list[str]:
    """Collections with several operations, wherever they stand."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.Dict)):
            elements = node.keys if isinstance(node, ast.Dict) else node.elts
            if sum(is_operation(each) for each in elements if each is not None) > 1:
                found.append(f"line {node.lineno}: {ast.unparse(node)[:100]}")
    return found


def names_as_text(source: str) -> list[str]:
    """Questions about the text of an operation's name: ``"pool" in str(node.target)``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and any(isinstance(op, (ast.In, ast.NotIn)) for op in node.ops):
            asked = [ast.unparse(each) for each in node.comparators]
            if any(
                re.search(r"(str\(|__name__|_name\b|\bname\()", text) and "target" in text for text in asked
            ):
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_knowledge_of_operations_is_in_traits(file: Path) -> None:
    """No other module keeps a list of operations, or asks for parts of their names."""
    if file.name != "traits.py":
        assert not lists_of_operations(file.read_text())
        assert not names_as_text(file.read_text())


@pytest.mark.parametrize(
    "line",
    [
        "KNOWN = frozenset({aten.relu.default, aten.gelu.default})",
        "KNOWN = {torch.ops.aten.relu.default, torch.ops.aten.gelu.default}",
        "x = node.target in (aten.relu.default, aten.sigmoid.default)",
        "TABLE = {aten.relu.default: 1, aten.gelu.default: 2}",
        'x = "pool" in str(node.target)',
        'x = "pool" in node.target.__name__',
    ],
)
def test_such_knowledge_is_noticed(line: str) -> None:
    assert lists_of_operations(line) or names_as_text(line)


def test_every_pass_is_listed_with_a_reason() -> None:
    """A file in passes/ is a list's, or shared by some; each place has its clause of reason."""
    steps = [*CAPTURED, *TRACED]
    assert all(step.because for step in steps)
    homes = {getattr(step.apply, "__module__", "").rpartition(".")[2] for step in steps}
    shared = {"__init__", "step", "writing"}
    assert {file.stem for file in (ROOT / "passes").glob("*.py")} == homes | shared


def test_every_pass_states_its_identity_first() -> None:
    for file in (ROOT / "passes").glob("*.py"):
        summary = (ast.get_docstring(ast.parse(file.read_text())) or "").splitlines()[0]
        assert summary.endswith((".", ":", "]")), file.name


def test_every_fused_derivative_is_written_out() -> None:
    """Those that a trace keeps are those that have other words."""
    assert all(step.because for step in WRITTEN_OUT)
    homes = {getattr(step.apply, "__module__", "").rpartition(".")[2] for step in WRITTEN_OUT}
    assert {file.stem for file in (ROOT / "fused").glob("*.py")} == homes | {"__init__", "writing"}
    assert len(WRITTEN_OUT) == len(having(Trait.FUSED_DERIVATIVE))
