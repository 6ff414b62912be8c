"""The comparison as one HTML file that needs nothing else: pictures, colours and script are inside."""

from __future__ import annotations

import datetime
from html import escape
from importlib.metadata import version
from importlib.resources import files
from string import Template

from smoothserve.handlers.images.caption import scale_ends

from ..columns import Column
from ..pages import base_style, breakable, jpeg_inside, png_inside, policy_hash
from ..words import class_name, count, duration, score
from .drawn import as_computed, in_words, over_photo, scale, softened
from .rows import Cell, Comparison, Row
from .words import MAKER, explained_instead, facts, reading, title

_TILE, _GAP, _AROUND = 8.0, 0.625, 5.5  # rem: the least width of a column, between two, around the table


def page(comparison: Comparison) -> str:
    """The whole of it."""
    methods, rows = comparison.columns, comparison.rows
    style, script = _style(methods), _file("page.js")
    about = (
        f"{count(len(rows), 'photo')} down, {count(len(methods), 'method')} across. Under each photo: the "
        "predicted class and its score, which the heatmaps explain; where one explains another, it says so."
    )
    left_out = "".join(f"<li>{escape(line)}</li>" for line in comparison.left_out)
    return Template(_file("page.html")).substitute(
        maker=f"{MAKER} {version('smoothserve')}",
        title=escape(title(comparison)),
        summary=about,
        style=style,
        style_hash=policy_hash(style),
        script=script,
        script_hash=policy_hash(script),
        heads="\n".join(map(_head, methods, comparison.seconds)),
        rows="\n".join(_row(row, methods) for row in rows),
        reading="\n".join(f"<li>{escape(line)}</li>" for line in (*reading(comparison), _KEYS)),
        facts="\n".join(f"<dt>{escape(a)}</dt><dd>{escape(b)}</dd>" for a, b in facts(comparison)),
        left_out=f'<h2>Left out</h2>\n<ul class="wrong">{left_out}</ul>' if left_out else "",
        made=f"Made by {MAKER} {version('smoothserve')}, {datetime.date.today().isoformat()}.",
    )


_KEYS = (
    "A click, or Enter, enlarges a heatmap. Arrow keys go to its neighbours, enlarged or not; Escape closes."
)


def _head(column: Column, seconds: float) -> str:
    signed = column.card.signed
    least, most = scale_ends(signed)
    about = "".join(f'<span class="about">{escape(line)}</span>' for line in column.about)
    return (
        f'<th role="columnheader" scope="col" data-title="{escape(column.title)}">'
        f'<span class="method">{breakable(column.name)}</span>{about}'
        f'<span class="took">{duration(seconds)} a heatmap</span>'
        f'<span class="scale {_kind(signed)}"></span>'
        f'<span class="ends"><span>{least}</span><span>{most}</span></span></th>'
    )


def _row(row: Row, columns: tuple[Column, ...]) -> str:
    name, label = escape(row.name), escape(class_name(row.predicted))
    head = (
        f'<th role="rowheader" scope="row" class="photo">{jpeg_inside(row.picture, f"The photo {row.name}")}'
        f'<strong class="label">{label}</strong><span class="score">{score(row.predicted)}</span>'
        f'<span class="name">{name}</span></th>'
    )
    cells = [_cell(cell, column, row) for cell, column in zip(row.cells, columns, strict=True)]
    return f'<tr role="row">{head}{"".join(cells)}</tr>'


def _cell(cell: Cell, column: Column, row: Row) -> str:
    alt = f"Heatmap of {column.title} for {row.name}: strongest {in_words(cell)}"
    other = explained_instead(cell, row)
    beside = f'<span class="other">{escape(other)}</span>' if other else ""
    pictures = (
        jpeg_inside(over_photo(cell, row.picture), f"{alt}; over the photo", "over"),
        png_inside(softened(cell), f"{alt}; softened", "soft"),
        png_inside(as_computed(cell), f"{alt}; as computed", "plain"),
    )
    return (
        f'<td role="cell" class="cell"><button type="button" aria-label="{escape(alt)}; enlarge">'
        f'{"".join(pictures)}</button><span class="of">{breakable(column.title)}</span>{beside}</td>'
    )


def _style(columns: tuple[Column, ...]) -> str:
    """The sheet, the colours of the scales, and the width from which there is room for a table."""
    across = 1 + len(columns)
    room = _AROUND + across * (_TILE + _GAP)
    scales = "".join(
        f".{_kind(signed)} {{ background: linear-gradient(to right, {', '.join(scale(signed))}); }}\n"
        for signed in (False, True)
    )
    sheet = (base_style() + _file("page.css")).replace("(min-width: 9999rem)", f"(min-width: {room:g}rem)")
    return f"{sheet}:root {{ --columns: {across}; }}\n{scales}"


def _kind(signed: bool) -> str:
    return "for-and-against" if signed else "much"


def _file(name: str) -> str:
    return (files("smoothserve.cli.comparison") / name).read_text(encoding="utf-8")
