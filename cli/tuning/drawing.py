"""The plot: what the search tried, and quality over cost."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from matplotlib.figure import Figure

from ..words import duration
from .choice import Choice
from .scoring import OBJECTIVES
from .search import ALL, Found
from .settings import Level, Tuned
from .sweep import Cell

# Okabe and Ito (2008): told apart by people who see fewer colours.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
_MARKERS = "os^Dvp*"
_DPI = 130


def plot(
    title: str, objective: str, tuned: Tuned, search: Found | None, cells: Sequence[Cell], choice: Choice
) -> bytes:
    """A PNG: the search where there was one, the objective and the similarity over evaluations."""
    panels = 2 if search is None else 3
    figure = Figure(figsize=(4.3 * panels, 4.4), layout="constrained")
    axes = list(figure.subplots(1, panels))
    if search is not None:
        _search(axes.pop(0), objective, tuned, search)
    score = f"{OBJECTIVES[objective].partition(',')[0]} (lower is better)"
    _curves(axes[0], cells, choice, score, lambda cell: (cell.score.value, cell.score.error))
    _curves(
        axes[1], cells, choice, "SSIM to converged (higher is better)",
        lambda cell: (cell.similarity.value, cell.similarity.error),
    )  # fmt: skip
    axes[0].set_title("quality over cost", fontsize=10)
    axes[1].set_title("similarity over cost", fontsize=10)
    handles, labels = axes[1].get_legend_handles_labels()
    names = [text if "%" not in text else f"noise {text}" for text in labels]
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=9, frameon=False)
    figure.suptitle(title, fontsize=11)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, facecolor="white")
    return buffer.getvalue()


def _search(axis: Any, objective: str, tuned: Tuned, search: Found) -> None:
    for index, (name, each) in enumerate(search.searches.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        tried = sorted(each.tried)
        axis.plot(
            [100 * level / tuned.span for level, _ in tried], [score for _, score in tried],
            ".-", color=colour, linewidth=0.8, markersize=4,
        )  # fmt: skip
        label = name if len(search.searches) <= len(_COLOURS) or name == ALL else None
        axis.plot(
            100 * each.noise / tuned.span, each.score, _MARKERS[index % len(_MARKERS)],
            color=colour, markersize=8, markeredgecolor="black", label=label,
        )  # fmt: skip
    axis.axvline(100 * search.median / tuned.span, color="grey", linestyle="--", linewidth=1)
    axis.set(xlabel="noise, % of black to white", ylabel=OBJECTIVES[objective].partition(",")[0])
    axis.set_title(f"adaptive noising, {search.samples} samples; dashed: the median", fontsize=10)
    axis.legend(fontsize=8)
    axis.grid(alpha=0.2)


def _curves(axis: Any, cells: Sequence[Cell], choice: Choice, label: str, value: Any) -> None:
    levels: list[Level] = list(dict.fromkeys(cell.level for cell in cells))
    for index, level in enumerate(levels):
        row = [cell for cell in cells if cell.level == level]
        several = len(row[0].scores) > 1
        axis.errorbar(
            [cell.evaluations * (1 + 0.02 * (index - (len(levels) - 1) / 2)) for cell in row],  # side by side
            [value(cell)[0] for cell in row], [value(cell)[1] for cell in row] if several else None,
            marker=_MARKERS[index % len(_MARKERS)], color=_COLOURS[index % len(_COLOURS)],
            markersize=5, linewidth=1.2, elinewidth=0.8, capsize=2, label=level.text,
        )  # fmt: skip
    offset = 1 + 0.02 * (levels.index(choice.cell.level) - (len(levels) - 1) / 2)
    axis.plot(
        choice.cell.evaluations * offset, value(choice.cell)[0], "o", markersize=12, fillstyle="none",
        color="black", label="recommended",
    )  # fmt: skip
    axis.set_xscale("log", base=2)
    first = [cell for cell in cells if cell.level == levels[0]]
    axis.set_xticks(
        [cell.evaluations for cell in first],
        [f"{cell.evaluations}\n{duration(cell.seconds)}" for cell in first],
    )
    axis.minorticks_off()
    axis.set(xlabel="network evaluations, and time, for a heatmap", ylabel=label)
    axis.grid(alpha=0.2)
