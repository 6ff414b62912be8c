"""What the report says in words: the outcome, what was measured, on what, with which versions."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from smoothserve.handlers.noise import noise_in_words

from ..versions import in_words
from ..words import count, duration, settings
from .metric_list import Wanted
from .results import Cell, Results
from .subjects import Subject

_PACKAGES = ("smoothserve", "onnxruntime", "numpy", "scipy", "scikit-image", "pillow")


def title(results: Results) -> str:
    """Of the report."""
    names = list(dict.fromkeys(subject.column.card.name for subject in results.plan.subjects))
    return f"How faithful are heatmaps of {_listed(names)}?"


def summary(results: Results) -> str:
    """Below the title."""
    plan = results.plan
    explained = "the class that each photo shows" if plan.classes else "the class that the network predicts"
    return (
        f"{count(len(plan.subjects), 'method')} and {count(len(plan.metrics), 'metric')} on "
        f"{count(len(results.photos), 'photo')}. What is explained is {explained}."
    )


def short(results: Results) -> list[str]:
    """The outcome, a sentence for each metric."""
    found = []
    for wanted in results.plan.metrics:
        cells = results.table[wanted.name]
        lead = next((number for number, cell in enumerate(cells) if cell.best), None)
        if lead is None:
            continue
        others = [
            (subject, cell)
            for subject, cell in zip(results.plan.subjects, cells, strict=True)
            if cell.difference is not None
        ]
        near = [subject.title for subject, cell in others if not apart(cell)]
        said = f"{wanted.title}: {results.plan.subjects[lead].title} leads with {value(cells[lead])}"
        if near:
            said += f"; {_listed(near)} cannot be told from it on these photos"
        elif others:
            said += ", and the interval of each other method's difference leaves 0 out"
        found.append(f"{said}.")
    return found


def value(cell: Cell) -> str:
    """Mean and standard error; a dash where there is none."""
    if cell.mean is None:
        return "–"
    mean = f"{cell.mean.value:.3f}".replace("-", "−")
    return mean if cell.mean.images < 2 else f"{mean} ± {cell.mean.error:.3f}"


def difference(cell: Cell) -> tuple[str, str] | None:
    """To the best, and its interval; None for the best itself, and where one photo says nothing of it."""
    found = cell.difference
    if found is None or cell.mean is None or cell.mean.images < 2:
        return None
    value, low, high = (f"{each:+.3f}".replace("-", "−") for each in found)
    return value, f"[{low}, {high}]"


def apart(cell: Cell) -> bool:
    """Whether the interval of its difference to the best leaves 0 out."""
    found = cell.difference
    if found is None or cell.mean is None or cell.mean.images < 2:
        return False
    return found.low > 0 or found.high < 0


def metrics(wanted: Sequence[Wanted]) -> list[tuple[str, str]]:
    """What each measures, and who says so."""
    found = []
    for each in wanted:
        better = "larger" if each.metric.higher else "smaller"
        own = ", ".join(f"{name}={setting}" for name, setting in each.settings.items())
        asks = f"{each.metric.asks[0].upper()}{each.metric.asks[1:]}; {better} is better."
        found.append(
            (each.title, " ".join(filter(None, (asks, f"{own}." if own else "", each.metric.source))) + ".")
        )
    return found


def facts(results: Results) -> list[tuple[str, str]]:
    """Networks, photos and methods."""
    found = []
    for card in {subject.column.card.name: subject.column.card for subject in results.plan.subjects}.values():
        shape = " x ".join(map(str, card.image_shape))
        found.append(("network", f"{card.name}, {count(card.classes, 'class', 'es')}; input {shape}: "
                      f"{card.preprocessing}"))  # fmt: skip
    found.append(("photos", _photos(results)))
    found += [(subject.title, _method(subject, results)) for subject in results.plan.subjects]
    found.append(
        (
            "scores of pixels",
            "the attribution's sum over channels where its sign means something, else its L2 norm; "
            "not clipped, as a heatmap's colours are",
        )
    )
    return found


def used_versions(results: Results, command: str) -> list[tuple[str, str]]:
    """With what it was computed, and how to do it again."""
    runtimes = _listed(list(dict.fromkeys(subject.column.runtime for subject in results.plan.subjects)))
    return [
        ("packages", in_words(*_PACKAGES)),
        ("computed in", f"{runtimes}; Python {platform.python_version()}, {platform.machine()}"),
        ("command", f"smoothserve {command}"),
        ("seeds", "0 for all that is drawn: the same command gives the same figures, but for times"),
    ]


def _photos(results: Results) -> str:
    said = [count(len(results.photos), "photo")]
    if results.plan.masks:
        said.append(f"{sum(photo.mask is not None for photo in results.photos)} with masks")
    if results.plan.classes:
        subject = results.plan.subjects[0]
        entries = [results.explained[photo.name, subject.title] for photo in results.photos]
        right = sum(entry.get("explained") == entry.get("predicted") for entry in entries)
        said.append(f"of which the network names {right} rightly")
    return ", ".join(said)


def _method(subject: Subject, results: Results) -> str:
    card = subject.column.card
    noise = noise_in_words(card.method, card.preprocessing)
    took = results.seconds(subject)
    time = f"{duration(took)} a heatmap, median" if took == took else ""
    said = (settings(card.method), f"noise: {noise}" if noise else "", time)
    return "; ".join(filter(None, said))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
