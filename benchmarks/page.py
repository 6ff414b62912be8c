"""A page of docs/measurements: what was measured, when, where, by which command; then tables."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

# Whatever stands below this line in a page is kept when the page is written again.
BY_HAND = "<!-- Above: written by the benchmark. Below: written by hand, and kept. -->"
_WIDTH = 110


def paragraph(text: str) -> list[str]:
    """Lines of a paragraph, and the empty one behind it."""
    return [*_wrapped(text, "", ""), ""]


def bullets(*texts: str) -> list[str]:
    """Lines of a list, and the empty one behind it."""
    return [*(line for text in texts for line in _wrapped(text, "* ", "  ")), ""]


def _wrapped(text: str, first: str, later: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a table, and the empty one behind it."""
    cells = (" | ".join(str(cell) for cell in row) for row in (header, *rows))
    first, *others = (f"| {row} |" for row in cells)
    return [first, "|" + "---|" * len(header), *others, ""]


def multiples(
    rows: Iterable[dict[str, Any]], columns: Sequence[str], bracketed: str, unit: str = ""
) -> list[str]:
    """Lines of a table of networks: the forward pass, and each column's time as a multiple of it.

    Args:
        rows: with ``network``, ``forward_ms`` and ``over_forward``, column -> multiple.
        columns: in that order.
        bracketed: of a row, column -> what stands in brackets.
        unit: behind that.
    """
    return table(
        ("network", "forward, ms", *columns),
        (
            (
                row["network"],
                row["forward_ms"],
                *(f"{row['over_forward'][each]} ({row[bracketed][each]}{unit})" for each in columns),
            )
            for row in rows
        ),
    )


def head(title: str, command: str, figures: str, result: dict[str, Any]) -> list[str]:
    """Title and conditions: date, machine, versions, the command that measures it again, the figures' file.

    A result without ``machine`` was measured without a clock.
    """
    machine = result.get("machine", "any: no clock is involved")
    threads = f", {result['threads']} threads" if "threads" in result else ""
    versions = ", ".join(f"{package} {number}" for package, number in result.get("versions", {}).items())
    conditions = {
        "date": result["date"],
        "machine": machine + threads,
        **({"versions": versions} if versions else {}),
        "command": f"`python -m {command}`",
        "figures": f"`benchmarks/results/{figures}.json`",
    }
    return [f"# {title}", "", *table(("measured", ""), conditions.items())]


def text_of(lines: Iterable[str]) -> str:
    """A page's text: one newline at its end."""
    return "\n".join(lines).rstrip("\n") + "\n"


def write_page(path: Path, text: str) -> None:
    """Replace what a benchmark wrote into a page, and keep what was written by hand."""
    _, marker, by_hand = path.read_text().partition(BY_HAND) if path.exists() else ("", "", "")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n{BY_HAND}{by_hand}" if marker else text)
