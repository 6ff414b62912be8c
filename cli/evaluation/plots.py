"""Curves over methods, and quality against time: pictures for the report, light and dark, and as files."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from smoothserve.evaluation import Curves

from .metric_list import Wanted
from .results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GRID = np.linspace(0, 1, 101)
_SIZE = (4.6, 3.3)  # inches: as wide as a phone shows it, with letters of a readable size
_DOTS = 150  # an inch, of the PNG files
_COLUMNS, _LINE = 2, 0.22  # of legends; inches
_MARKERS = "osD^vP*X"
_THEMES: Mapping[str, Mapping[str, Any]] = {  # colours that people with any colour vision tell apart
    "light": {
        "ink": "#1c1d1f", "line": "#c9ccd0",
        "methods": ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b07d00", "#5b4bb5"),
    },
    "dark": {
        "ink": "#ececea", "line": "#4a4d53",
        "methods": ("#56b4e9", "#ff8f52", "#2ecc9f", "#e79fc8", "#f0c24b", "#a79bf5"),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Plot:
    """A picture.

    Attributes:
        name: of its file, without suffix.
        title: above it.
        caption: what it shows, in a sentence.
        light: as SVG, for a light page.
        dark: as SVG, for a dark one.
        png: for other uses, on white.
    """

    name: str
    title: str
    caption: str
    light: bytes
    dark: bytes
    png: bytes


def curves_plot(results: Results, wanted: Wanted, curves: Sequence[Sequence[Curves]]) -> Plot:
    """Probability of the class while pixels go or come, mean over photos with its standard error.

    Args:
        results: whose methods they are.
        wanted: the metric that comes from them.
        curves: of each method, photo by photo.
    """
    both = len(wanted.metric.curves) > 1
    shown = wanted.metric.curves == ("least",)

    def draw(axes: Axes, theme: Mapping[str, Any]) -> None:
        for number, (subject, own) in enumerate(zip(results.plan.subjects, curves, strict=True)):
            for which in wanted.metric.curves if own else ():
                lines = np.stack([np.interp(_GRID, each.occluded, getattr(each, which)) for each in own])
                middle, spread = lines.mean(0), _standard_error(lines)
                share = 100 * (1 - _GRID if shown else _GRID)
                colour = _colour(theme, number)
                dashed = both and which == "least"
                label = None if dashed else subject.title
                axes.plot(share, middle, color=colour, ls="--" if dashed else "-", lw=1.6, label=label)
                axes.fill_between(share, middle - spread, middle + spread, color=colour, alpha=0.13, lw=0)
        axes.set_xlabel(f"% of pixels {'shown' if shown else 'taken away'}")
        axes.set_ylabel("probability of the class")
        axes.set_xlim(0, 100)
        axes.set_ylim(bottom=0)

    said = "the most important first"
    said = f"solid: {said}, dashed: the least important first" if both else said
    caption = f"{wanted.title}; {said}. Lines are means over photos, bands their standard errors."
    return _plot(f"curves-{_file_name(wanted)}", wanted.title, caption, draw, len(results.plan.subjects))


def time_plot(results: Results, wanted: Wanted) -> Plot:
    """A metric's mean over the time of a heatmap."""
    seconds = [results.seconds(subject) for subject in results.plan.subjects]
    cells = results.table[wanted.name]

    def draw(axes: Axes, theme: Mapping[str, Any]) -> None:
        for number, (subject, cell, took) in enumerate(
            zip(results.plan.subjects, cells, seconds, strict=True)
        ):
            if cell.mean is None or not took > 0:
                continue
            error = cell.mean.error if cell.mean.images > 1 else None
            axes.errorbar(
                took, cell.mean.value, error, color=_colour(theme, number), label=subject.title,
                marker=_MARKERS[number % len(_MARKERS)], ms=6, capsize=3, lw=1.2, ls="none",
            )  # fmt: skip
        axes.set_xscale("log")
        known = [took for took in seconds if took > 0]
        low, high = min(known) / 1.6, max(known) * 1.6
        ticks = [value for value in _steps() if low <= value <= high]
        axes.set_xticks(ticks, [_duration(value) for value in ticks])
        axes.set_xticks([], minor=True)
        axes.set_xlim(low, high)
        axes.set_xlabel("time for a heatmap")

    better = "higher" if wanted.metric.higher else "lower"
    caption = f"{wanted.title}, {better} is better, with standard errors; time on a logarithmic scale."
    return _plot(f"time-{_file_name(wanted)}", wanted.title, caption, draw, len(results.plan.subjects))


def _plot(
    name: str, title: str, caption: str, draw: Callable[[Axes, Mapping[str, Any]], None], entries: int
) -> Plot:
    light, png = _drawn(title, draw, entries, _THEMES["light"], ("svg", "png"))
    (dark,) = _drawn(title, draw, entries, _THEMES["dark"], ("svg",))
    return Plot(name, title, caption, light, dark, png)


def _drawn(
    title: str,
    draw: Callable[[Axes, Mapping[str, Any]], None],
    entries: int,
    theme: Mapping[str, Any],
    forms: Sequence[str],
) -> list[bytes]:
    """One picture in several formats; the same figures give the same bytes."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    ink, line = theme["ink"], theme["line"]
    style: Any = {
        "font.size": 9, "text.color": ink, "axes.labelcolor": ink, "axes.edgecolor": line, "svg.hashsalt": "",
        "xtick.color": ink, "ytick.color": ink, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "grid.color": line, "grid.alpha": 0.5, "grid.linewidth": 0.6,
        "legend.frameon": False,
    }  # fmt: skip
    height = _SIZE[1] + _LINE * -(-entries // _COLUMNS)
    with rc_context(style):
        figure = Figure((_SIZE[0], height))
        top, bottom = 0.32 / height, (height - _SIZE[1] + 0.6) / height
        figure.subplots_adjust(left=0.15, right=0.97, top=1 - top, bottom=bottom)
        axes = figure.add_subplot()
        axes.set_title(title, loc="left", fontsize=10)
        draw(axes, theme)
        figure.legend(*axes.get_legend_handles_labels(), loc="lower center", ncols=_COLUMNS)
        found = []
        for form in forms:
            buffer = io.BytesIO()
            settings = {"transparent": True, "metadata": {"Date": None}} if form == "svg" else {"dpi": _DOTS}
            figure.savefig(buffer, format=form, **settings)
            found.append(buffer.getvalue())
    return found


def _standard_error(lines: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of each point; 0 of a single photo."""
    if len(lines) < 2:
        return np.zeros(lines.shape[1])
    error: npt.NDArray[np.float64] = lines.std(0, ddof=1) / np.sqrt(len(lines))
    return error


def _colour(theme: Mapping[str, Any], number: int) -> str:
    colours = theme["methods"]
    return str(colours[number % len(colours)])


def _steps() -> list[float]:
    return [digit * 10.0**power for power in range(-4, 4) for digit in (1, 2, 5)]


def _duration(seconds: float) -> str:
    return f"{1000 * seconds:g} ms" if seconds < 1 else f"{seconds:g} s"


def _file_name(wanted: Wanted) -> str:
    return wanted.name.replace(":", "-").replace("=", "-")
