"""The plan's values out of the journal, and what they say over all photos."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from smoothserve.evaluation import Curves, Difference, Mean, mean, paired_difference

from .journal import Entry, Journal
from .metric_list import Wanted
from .photos import Given
from .plan import Plan, target_of
from .subjects import Subject


@dataclass(frozen=True)
class Row:
    """One value.

    Attributes:
        photo: it is of.
        subject: that explains.
        wanted: the metric.
        value: None: there is none.
        problem: why not.
    """

    photo: Given
    subject: Subject
    wanted: Wanted
    value: float | None
    problem: str | None


@dataclass(frozen=True)
class Cell:
    """What a metric says of a method, over photos.

    Attributes:
        mean: with its standard error; None: there is no value.
        best: whether no other method has a better mean.
        difference: to the best method, on the photos that both have; of the best one None.
    """

    mean: Mean | None
    best: bool
    difference: Difference | None


@dataclass(frozen=True)
class Results:
    """All of them.

    Attributes:
        plan: that was followed.
        photos: that could be read.
        rows: photos, then methods, then metrics, in the plan's order.
        explained: the journal's entry of each photo and method.
        attribution_keys: of the same.
        left_out: photos that could not be read, and why.
    """

    plan: Plan
    photos: tuple[Given, ...]
    rows: tuple[Row, ...]
    explained: Mapping[tuple[str, str], Entry]
    attribution_keys: Mapping[tuple[str, str], str]
    left_out: Mapping[str, str]

    @property
    def problems(self) -> list[str]:
        """Which values there are not, and why."""
        return [
            f"{row.photo.name}, {row.subject.title}, {row.wanted.title}: {row.problem}"
            for row in self.rows
            if row.problem
        ]

    @cached_property
    def table(self) -> dict[str, list[Cell]]:
        """Of each metric's name, a cell for each method."""
        return {wanted.name: self._cells(wanted) for wanted in self.plan.metrics}

    def values(self, subject: Subject, wanted: Wanted) -> dict[str, float]:
        """By photo."""
        return {
            row.photo.name: row.value
            for row in self._by_cell.get((subject.title, wanted.name), ())
            if row.value is not None
        }

    def seconds(self, subject: Subject) -> float:
        """For one heatmap: the median over photos; NaN: there is none."""
        found = [
            entry["seconds"]
            for (_, title), entry in self.explained.items()
            if title == subject.title and "seconds" in entry
        ]
        return statistics.median(found) if found else float("nan")

    @cached_property
    def _by_cell(self) -> dict[tuple[str, str], list[Row]]:
        found: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            found.setdefault((row.subject.title, row.wanted.name), []).append(row)
        return found

    def _cells(self, wanted: Wanted) -> list[Cell]:
        values = [self.values(subject, wanted) for subject in self.plan.subjects]
        means = [mean(list(each.values())) if each else None for each in values]
        known = [found.value for found in means if found is not None]
        top = (max if wanted.metric.higher else min)(known) if known else None
        best = next((number for number, found in enumerate(means) if found and found.value == top), None)
        cells = []
        for number, (own, found) in enumerate(zip(values, means, strict=True)):
            shared = [] if best in (None, number) else [name for name in own if name in values[best]]
            difference = None
            if shared and best is not None:
                difference = paired_difference(
                    [own[name] for name in shared], [values[best][name] for name in shared]
                )
            cells.append(
                Cell(found, found is not None and found.value == top and len(values) > 1, difference)
            )
        return cells


def results_of(plan: Plan, journal: Journal, left_out: Mapping[str, str]) -> Results:
    """What the journal says of a plan that is measured."""
    photos, rows = [], []
    explained: dict[tuple[str, str], Entry] = {}
    attribution_keys: dict[tuple[str, str], str] = {}
    for number, photo in enumerate(plan.photos):
        if photo.name in left_out:
            continue
        photos.append(photo)
        for subject in plan.subjects:
            target = target_of(plan, subject, number)
            key = plan.attribution_key(subject, photo, target)
            entry = journal.get(key)
            explained[photo.name, subject.title] = entry
            attribution_keys[photo.name, subject.title] = key
            for wanted in plan.metrics:
                if plan.applies(wanted, subject, photo):
                    value = _value(journal, plan.value_key(subject, photo, target, wanted), entry)
                    rows.append(Row(photo, subject, wanted, value.get("value"), value.get("problem")))
    return Results(plan, tuple(photos), tuple(rows), explained, attribution_keys, dict(left_out))


def curves_of(results: Results, journal: Journal, wanted: Wanted) -> list[list[Curves]]:
    """Of a metric that comes from curves: those of each method, photo by photo."""
    what, settings = wanted.metric.family, wanted.settings
    found = []
    for subject in results.plan.subjects:
        keys = [results.attribution_keys[photo.name, subject.title] for photo in results.photos]
        curves = [results.plan.curves_key(key, subject, what, settings) for key in keys]
        found.append(
            [
                Curves(*(entry[name] for name in Curves._fields))
                for key in curves
                if (entry := journal.get(key))
            ]
        )
    return found


def _value(journal: Journal, key: str, explained: Entry) -> Entry:
    return journal.get(key) or {"problem": explained.get("problem", "it was not measured")}
