"""What the page and the picture say of a comparison: scores, times, settings, how to read them."""

from __future__ import annotations

from collections.abc import Mapping

from smoothserve.handlers.card import Card
from smoothserve.handlers.noise import noise_in_words

from ..columns import Column
from ..words import class_name, count, duration, score, settings
from .drawn import SOFT
from .rows import Cell, Comparison, Row

MAKER = "smoothserve compare"


def title(comparison: Comparison) -> str:
    """Of the page."""
    names = list(dict.fromkeys(column.card.name for column in comparison.columns))
    return f"What {' and '.join([', '.join(names[:-1]), names[-1]] if names[1:] else names)} looked at"


def explained_instead(cell: Cell, row: Row) -> str | None:
    """Class and score where a heatmap does not explain the class that stands under the photo; else None."""
    own, under = (f"{class_name(entry)} {score(entry)}" for entry in (cell.explained, row.predicted))
    return None if own == under else own


def facts(comparison: Comparison) -> list[tuple[str, str]]:
    """What was computed, and how: a list of two columns."""
    found = []
    for card in {column.card.name: column.card for column in comparison.columns}.values():
        shape = " x ".join(map(str, card.image_shape))
        found.append(("network", f"{card.name}, {count(card.classes, 'class', 'es')}"))
        found.append(("input", f"{shape}: {card.preprocessing}"))
    for column, seconds in zip(comparison.columns, comparison.seconds, strict=True):
        found.append((column.title, _method_in_words(column, seconds)))
    return found


def reading(comparison: Comparison) -> list[str]:
    """How to read the pictures, sentence by sentence."""
    plain = dict.fromkeys(column.name for column in comparison.columns if not column.card.signed)
    signed = dict.fromkeys(column.name for column in comparison.columns if column.card.signed)
    found = []
    if plain:
        found.append(f"{_listed(plain)}: how much the class's score reacts to a pixel, from little to much.")
    if signed:
        found.append(f"{_listed(signed)}: what a pixel adds to the class's score, from against it to for it.")
    return [
        *found,
        "Each heatmap is scaled by itself: the strongest hundredth of its pixels has the last colour. "
        "Colours compare places of one heatmap, not heatmaps.",
        f"Softened: a Gaussian filter, standard deviation {SOFT:.0%} of the width, then scaled again. "
        "Over the photo: the same with 1%, and nothing is drawn below a tenth of the strongest. "
        "As computed: no filter.",
        "Time: of the network for one heatmap of one photo, median over the photos.",
        "A heatmap shows what the network is sensitive to, not whether it is right.",
    ]


def _method_in_words(column: Column, seconds: float) -> str:
    card = column.card
    noise = noise_in_words(card.method, card.preprocessing)
    took = f"{duration(seconds)} a heatmap in {column.runtime}"
    said = [settings(card.method), f"noise: {noise}" if noise else "", *_objective(card), took]
    return "; ".join(filter(None, said))


def _objective(card: Card) -> list[str]:
    """Unless it is the logit, which everybody expects."""
    objective = {name: value for name, value in card.objective.items() if value is not None}
    kind = objective.pop("kind")
    against = "".join(f" {name} {value}" for name, value in objective.items())
    return [] if kind == "logit" else [f"explains the {kind}{against}"]


def _listed(names: Mapping[str, None]) -> str:
    return ", ".join(names)
