"""Results as files of numbers, and as a table in the terminal."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..words import count, duration
from .results import Cell, Results

_TIME = "seconds"
_TYPES = {  # of columns; of others text
    **dict.fromkeys(
        ("value", "score", "mean", "standard_error", "difference_to_best", "low", "high", _TIME), "float64"
    ),
    **dict.fromkeys(("class", "predicted", "photos"), "int64"),
    "best": "bool",
}
_BOLD = ("\033[1m", "\033[0m")
_MARK = ("", " *")  # where there is no bold


def rows_table(results: Results) -> list[dict[str, Any]]:
    """A line for each photo, method and metric."""
    return [
        {
            "photo": row.photo.name,
            "method": row.subject.title,
            "metric": row.wanted.name,
            "value": row.value,
            "class": results.explained[row.photo.name, row.subject.title].get("explained"),
            "predicted": results.explained[row.photo.name, row.subject.title].get("predicted"),
            "score": results.explained[row.photo.name, row.subject.title].get("score"),
            "problem": row.problem,
        }
        for row in results.rows
    ]


def summary_table(results: Results) -> list[dict[str, Any]]:
    """A line for each metric and method: mean, standard error, and the difference to the best."""
    found = []
    for wanted in results.plan.metrics:
        for subject, cell in zip(results.plan.subjects, results.table[wanted.name], strict=True):
            difference = cell.difference
            error = cell.mean.error if cell.mean and cell.mean.images > 1 else None
            found.append(
                {
                    "metric": wanted.name,
                    "better": "larger" if wanted.metric.higher else "smaller",
                    "method": subject.title,
                    "mean": cell.mean.value if cell.mean else None,
                    "standard_error": error,
                    "photos": cell.mean.images if cell.mean else 0,
                    "best": cell.best,
                    "difference_to_best": difference.value if difference else None,
                    "low": difference.low if difference else None,
                    "high": difference.high if difference else None,
                }
            )
    return found


def times_table(results: Results) -> list[dict[str, Any]]:
    """A line for each photo and method: seconds of a heatmap, the only figures that no two runs share."""
    return [
        {"photo": photo, "method": method, _TIME: entry.get("seconds")}
        for (photo, method), entry in results.explained.items()
    ]


def as_csv(table: Sequence[dict[str, Any]]) -> bytes:
    """With a line of names; what is missing is empty, and floats can be read back bit for bit."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]) if table else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue().encode()


def as_parquet(table: Sequence[dict[str, Any]]) -> bytes:
    """The same, with types, also of columns in which nothing stands."""
    import pyarrow
    from pyarrow import parquet

    columns = list(table[0]) if table else []
    schema = pyarrow.schema([(name, _TYPES.get(name, "string")) for name in columns])
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(table), schema), buffer)
    return buffer.getvalue()


def terminal_table(results: Results, bold: bool | None = None, width: int | None = None) -> str:
    """Methods down, metrics across, in as many parts as the terminal's width needs.

    Args:
        results: to show.
        bold: whether the best may be bold; None: where this is a terminal. Else a star follows it.
        width: in letters; None: the terminal's.
    """
    width = width or shutil.get_terminal_size((110, 24)).columns
    begin, end = _BOLD if (sys.stdout.isatty() if bold is None else bold) else _MARK
    titles = [subject.title for subject in results.plan.subjects]
    heads = [f"{wanted.title} {'^' if wanted.metric.higher else 'v'}" for wanted in results.plan.metrics]
    columns = [[_in_words(cell) for cell in results.table[wanted.name]] for wanted in results.plan.metrics]
    best = [[cell.best for cell in results.table[wanted.name]] for wanted in results.plan.metrics]
    heads.append("a heatmap")
    columns.append([duration(results.seconds(subject)) for subject in results.plan.subjects])
    best.append([False] * len(titles))
    first = max(map(len, titles))
    sizes = [max(len(head), *map(len, column)) + 2 for head, column in zip(heads, columns, strict=True)]
    lines = []
    for part in _parts(sizes, max(width - first - 2, max(sizes) + 2)):
        lines.append(_line("", first, [(heads[i], sizes[i], False) for i in part], begin, end))
        for number, title in enumerate(titles):
            cells = [(columns[i][number], sizes[i], best[i][number]) for i in part]
            lines.append(_line(title, first, cells, begin, end))
        lines.append("")
    lines.append(
        f"Mean +- standard error over {count(len(results.photos), 'photo')}. ^ larger is better, v smaller; "
        f"{'bold' if begin == _BOLD[0] else '*'}: the best."
    )
    return "\n".join(lines)


def _in_words(cell: Cell) -> str:
    if cell.mean is None:
        return "-"
    return str(cell.mean) if cell.mean.images > 1 else f"{cell.mean.value:.3f}"


def _line(title: str, first: int, cells: Sequence[tuple[str, int, bool]], begin: str, end: str) -> str:
    parts = [title.ljust(first)]
    for text, size, best in cells:
        marked = f"{begin}{text}{end}" if best else text
        letters = len(text) + (len(end) if best and not begin else 0)
        parts.append(" " * (size + 2 - letters) + marked)
    return "".join(parts).rstrip()


def _parts(sizes: Sequence[int], room: int) -> list[list[int]]:
    """Numbers of columns that fit side by side."""
    parts: list[list[int]] = [[]]
    used = 0
    for number, size in enumerate(sizes):
        if parts[-1] and used + size + 2 > room:
            parts.append([])
            used = 0
        parts[-1].append(number)
        used += size + 2
    return parts


Table = Callable[[Results], list[dict[str, Any]]]
TABLES: dict[str, Table] = {"results": rows_table, "summary": summary_table, "times": times_table}
