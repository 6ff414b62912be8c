"""The report as one HTML file that needs nothing else, like the results of a paper."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from html import escape
from importlib.metadata import version
from importlib.resources import files
from string import Template

from ..pages import base_style, breakable, data_url, jpeg_inside, policy_hash
from ..words import duration
from . import words
from .examples import Example, Examples
from .plan import COMMAND
from .plots import Plot
from .results import Cell, Results


def report(
    results: Results, curves: Sequence[Plot], times: Sequence[Plot], examples: Examples | None, command: str
) -> str:
    """The whole page.

    Args:
        results: that it tells.
        curves: of metrics that come from some.
        times: metrics over the time of a heatmap.
        examples: photos at both ends.
        command: that was typed.
    """
    style = base_style() + _file("report.css")
    maker = f"{COMMAND} {version('smoothserve')}"
    return Template(_file("report.html")).substitute(
        maker=maker,
        title=escape(words.title(results)),
        summary=escape(words.summary(results)),
        style=style,
        style_hash=policy_hash(style),
        short="\n".join(f"<li>{escape(line)}</li>" for line in words.short(results)),
        heads="".join(_head(subject.title) for subject in results.plan.subjects),
        rows="\n".join([*_rows(results), _time_row(results)]),
        metrics=_listed(words.metrics(results.plan.metrics)),
        facts=_listed(words.facts(results)),
        curves=_figures("Curves", curves),
        times=_figures("Quality and time", times),
        examples=_examples(examples),
        left_out=_left_out(results),
        versions=_listed(words.used_versions(results, command)),
        made=f"Made by {maker}, {datetime.date.today().isoformat()}.",
    )


def _head(title: str) -> str:
    name, _, about = title.partition(", ")
    below = f'<span class="about">{escape(about)}</span>' if about else ""
    return f'<th role="columnheader" scope="col">{breakable(name)}{below}</th>'


def _rows(results: Results) -> list[str]:
    found = []
    for wanted in results.plan.metrics:
        name, _, about = wanted.title.partition(", ")
        arrow, way = ("&uarr;", "larger") if wanted.metric.higher else ("&darr;", "smaller")
        below = f'<span class="about">{escape(about)}</span>' if about else ""
        cells = [
            _cell(subject.title, cell, len(results.photos))
            for subject, cell in zip(results.plan.subjects, results.table[wanted.name], strict=True)
        ]
        found.append(
            f'<tr role="row"><th role="rowheader" scope="row">{escape(name)} <span role="img" '
            f'aria-label="{way} is better">{arrow}</span>{below}</th>{"".join(cells)}</tr>'
        )
    return found


def _cell(title: str, cell: Cell, photos: int) -> str:
    best = ' class="best"' if cell.best else ""
    said = words.value(cell)
    value = f"<strong>{said}</strong>" if cell.best else said
    parts = [f'<span class="value">{value}</span>']
    if difference := words.difference(cell):
        value, interval = difference
        apart = words.apart(cell)
        mark = "&nbsp;&bull;" if apart else ""
        parts.append(
            f'<span class="difference{" apart" if apart else ""}">{value} '
            f'<span class="interval">{interval}{mark}</span></span>'
        )
    if cell.mean is not None and cell.mean.images < photos:
        parts.append(f'<span class="photos">of {cell.mean.images} photos</span>')
    return f'<td role="cell"{best} data-method="{_in_style(title)}">{"".join(parts)}</td>'


def _in_style(title: str) -> str:
    """For a style's ``attr()``, which knows no elements: it may go on in another line before a capital."""
    return breakable(title).replace("<wbr>", "&#8203;")


def _time_row(results: Results) -> str:
    cells = "".join(
        f'<td role="cell" data-method="{_in_style(subject.title)}"><span class="value">'
        f"{duration(results.seconds(subject))}</span></td>"
        for subject in results.plan.subjects
    )
    return f'<tr role="row"><th role="rowheader" scope="row">time for a heatmap</th>{cells}</tr>'


def _figures(title: str, plots: Sequence[Plot]) -> str:
    if not plots:
        return ""
    figures = "\n".join(_figure(plot) for plot in plots)
    return f'<h2>{title}</h2>\n<div class="figures">\n{figures}\n</div>'


def _figure(plot: Plot) -> str:
    light, dark = (data_url(picture, "image/svg+xml") for picture in (plot.light, plot.dark))
    return (
        f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img alt="{escape(plot.caption)}" src="{light}"></picture>'
        f"<figcaption>{escape(plot.caption)}</figcaption></figure>"
    )


def _examples(examples: Examples | None) -> str:
    if examples is None:
        return ""
    parts = [
        f"<h2>Examples</h2>\n<p>Photos by {escape(examples.wanted.title)} of {escape(examples.title)}.</p>"
    ]
    for name, shown in (("Best", examples.best), ("Worst", examples.worst)):
        if shown:
            parts.append(f"<h3>{name}</h3>\n" + "\n".join(_example(each, examples) for each in shown))
    return "\n".join(parts)


def _example(example: Example, examples: Examples) -> str:
    score = "" if example.score != example.score else f"{example.score:.3g}"
    cells = [
        f"<div>{jpeg_inside(example.picture, f'The photo {example.photo.name}')}"
        f"<strong>{escape(example.label)}</strong><span>{score}</span>"
        f"<span>{escape(example.photo.name)}</span></div>"
    ]
    for each in example.shown:
        alt = f"Heatmap of {each.title} over {example.photo.name}"
        said = "–" if each.value is None else f"{each.value:.3f}"
        cells.append(
            f"<div>{jpeg_inside(each.picture, alt, 'over')}<strong>{breakable(each.title)}</strong>"
            f"<span>{escape(examples.wanted.title)} {said}</span></div>"
        )
    return f'<div class="example">{"".join(cells)}</div>'


def _left_out(results: Results) -> str:
    lines = [f"{name}: {reason}" for name, reason in results.left_out.items()]
    parts = []
    if lines:
        parts.append("<h2>Left out</h2>\n" + _list(lines, "wrong"))
    if results.problems:
        parts.append("<h2>Values that there are not</h2>\n" + _list(results.problems, "wrong"))
    return "\n".join(parts)


def _list(lines: Sequence[str], name: str) -> str:
    return f'<ul class="{name}">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>'


def _listed(facts: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>" for name, said in facts)


def _file(name: str) -> str:
    return (files("smoothserve.cli.evaluation") / name).read_text(encoding="utf-8")
