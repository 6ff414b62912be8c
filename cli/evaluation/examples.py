"""The photos on which heatmaps do best and worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image
from smoothserve.handlers.images.picture import overlay

from .metric_list import Wanted
from .photos import Given, seen
from .results import Results
from .store import Store

_MOST = 3  # of each end


@dataclass(frozen=True)
class Shown:
    """A heatmap over its photo.

    Attributes:
        title: of the method.
        picture: RGB.
        value: of the metric; None: there is none.
    """

    title: str
    picture: Image.Image
    value: float | None


@dataclass(frozen=True)
class Example:
    """A photo with all methods' heatmaps.

    Attributes:
        photo: which one.
        picture: what the network saw, RGB.
        label: of the class that is explained.
        score: of that class.
        shown: a heatmap of each method.
    """

    photo: Given
    picture: Image.Image
    label: str
    score: float
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Examples:
    """Both ends.

    Attributes:
        wanted: the metric that orders them.
        title: of the method whose values do, the best by that metric.
        best: photos, the best first.
        worst: the worst first.
    """

    wanted: Wanted
    title: str
    best: tuple[Example, ...]
    worst: tuple[Example, ...]


def examples_of(results: Results, store: Store) -> Examples | None:
    """By the first metric and the method that is best by it; None: there is no value."""
    wanted = results.plan.metrics[0]
    cells = results.table[wanted.name]
    known = [number for number, cell in enumerate(cells) if cell.mean is not None]
    if not known:
        return None
    lead = next((number for number in known if cells[number].best), known[0])
    subject = results.plan.subjects[lead]
    values = results.values(subject, wanted)
    order = sorted(values, key=lambda name: values[name], reverse=wanted.metric.higher)
    ends = min(_MOST, len(order) // 2) or 1
    best = order[:ends]
    worst = [name for name in order[::-1][:ends] if name not in best]
    photos = {photo.name: photo for photo in results.photos}

    def made(names: Sequence[str]) -> tuple[Example, ...]:
        return tuple(_example(results, store, wanted, photos[name]) for name in names)

    return Examples(wanted, subject.title, made(best), made(worst))


def _example(results: Results, store: Store, wanted: Wanted, photo: Given) -> Example:
    shown = []
    first = results.plan.subjects[0].column.card
    picture = seen(photo, first.preprocessing, masks=False).picture
    for subject in results.plan.subjects:
        card = subject.column.card
        heatmap = store.heatmap(results.attribution_keys[photo.name, subject.title])
        if heatmap is not None:
            under = seen(photo, card.preprocessing, masks=False).picture
            value = results.values(subject, wanted).get(photo.name)
            shown.append(Shown(subject.title, overlay(heatmap, under, card.signed), value))
    entry = results.explained[photo.name, results.plan.subjects[0].title]
    number = entry.get("explained", 0)
    label = first.label(number)
    named = f"class {label}" if label == str(number) else label
    return Example(photo, picture, named, entry.get("score", float("nan")), tuple(shown))
