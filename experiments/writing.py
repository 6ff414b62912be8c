"""An outcome as files: a page in Markdown, its figures as JSON, its pictures as PNG."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO

from .experiment import Experiment, Outcome, Table


def files_of(
    experiment: Experiment, outcome: Outcome, conditions: Mapping[str, str], seconds: float
) -> dict[str, bytes]:
    """``NAME-*.png``, ``NAME.json`` and, last, the page that shows them, ``NAME.md``: names and contents.

    Args:
        experiment: which.
        outcome: of it.
        conditions: what it was run on: network, photos, versions, date.
        seconds: that it took.
    """
    files, pictures = {}, {}
    for name, picture in outcome.pictures.items():
        buffer = BytesIO()
        picture.save(buffer, "PNG", optimize=True)
        pictures[name] = f"{experiment.name}-{name}.png"
        files[pictures[name]] = buffer.getvalue()
    figures = {
        "experiment": experiment.name,
        "source": experiment.source,
        "conditions": dict(conditions),
        "seconds": round(seconds, 1),
        "tables": [asdict(table) for table in outcome.tables],
        "said": list(outcome.said),
    }
    files[f"{experiment.name}.json"] = (json.dumps(figures, indent=1) + "\n").encode()
    lines = [f"# {experiment.shows}", "", f"{experiment.source}.", ""]
    for table in outcome.tables:
        lines += _table(table)
    for name, file in pictures.items():
        lines += [f"![{experiment.shows}: {name}]({file})", ""]
    lines += [f"* {each}" for each in outcome.said]
    measured = {**conditions, "seconds": f"{seconds:.0f}"}
    lines += [
        "",
        "| measured |  |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in measured.items()),
    ]
    files[f"{experiment.name}.md"] = ("\n".join(lines) + "\n").encode()
    return files


def _table(table: Table) -> list[str]:
    def row(cells: Sequence[object]) -> str:
        return f"| {' | '.join(map(str, cells))} |"

    return [
        f"{table.title}:",
        "",
        row(table.header),
        "|" + "---|" * len(table.header),
        *map(row, table.rows),
        "",
    ]
