"""Photo after photo, method after method, metric after metric: what the journal does not have is computed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
from smoothserve.evaluation import Curves
from smoothserve.handlers.card import Preprocessing
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.scores import scores

from ..progress import counter, note
from ..unreadable import reason
from .case import Case, Settings
from .journal import Entry, Journal
from .metric_list import Wanted
from .photos import Given, Seen, seen
from .plan import Plan, target_of
from .store import Store
from .subjects import Subject

log = logging.getLogger(__name__)
_BACKWARD = 3.0  # an evaluation with its reverse pass, in forward passes


class Measuring:
    """One run over a plan.

    Args:
        plan: what is to be measured.
        journal: what is already.
        store: attributions and heatmaps.
    """

    def __init__(self, plan: Plan, journal: Journal, store: Store) -> None:
        self._plan, self._journal, self._store = plan, journal, store

    def run(self) -> dict[str, str]:
        """Measure all that is missing; returns the photos that cannot be read, and why."""
        left_out: dict[str, str] = {}
        todo = {number: self._missing(number) for number in range(len(self._plan.photos))}
        things = [cost for missing in todo.values() for each in missing for cost in self._costs(each)]
        with counter("evaluating", len(things), sum(things)) as done:
            for number, photo in enumerate(self._plan.photos):
                if not todo[number]:
                    continue
                looks = _looks(photo, self._plan.masks)
                try:
                    for subject in self._plan.subjects:  # a photo that one of them cannot see is left out
                        looks(subject.column.card.preprocessing)
                except (RequestError, OSError) as error:
                    left_out[photo.name] = reason(error)
                    note(f"{photo.photo.path}: {left_out[photo.name]}")
                    for cost in (cost for each in todo[number] for cost in self._costs(each)):
                        done(cost)
                else:
                    self._measure(number, looks, todo[number], done)
        self._store.drop_all_attributions()
        return left_out

    def _missing(self, number: int) -> list[tuple[Subject, int | None, list[Wanted]]]:
        """Of a photo: methods with something to do, their classes, and metrics that are not measured."""
        found = []
        photo = self._plan.photos[number]
        for subject in self._plan.subjects:
            target = target_of(self._plan, subject, number)
            metrics = [
                wanted
                for wanted in self._plan.metrics
                if self._plan.applies(wanted, subject, photo)
                and self._plan.value_key(subject, photo, target, wanted) not in self._journal
            ]
            key = self._plan.attribution_key(subject, photo, target)
            if "problem" in self._journal.get(key):
                metrics = []
            elif metrics or key not in self._journal or not self._store.has_heatmap(key):
                found.append((subject, target, metrics))
        return found

    def _costs(self, missing: tuple[Subject, int | None, list[Wanted]]) -> list[float]:
        subject, _, metrics = missing
        return [_BACKWARD * subject.column.work, *(wanted.cost for wanted in metrics)]

    def _measure(
        self,
        number: int,
        looks: Callable[[Preprocessing], Seen],
        missing: list[tuple[Subject, int | None, list[Wanted]]],
        done: Callable[[float], None],
    ) -> None:
        photo = self._plan.photos[number]
        for each in missing:
            subject, target, metrics = each
            look = looks(subject.column.card.preprocessing)
            entry, attribution = self._attribution(subject, photo, target, look)
            costs = self._costs(each)
            done(costs[0])
            for wanted, cost in zip(metrics, costs[1:], strict=True):
                if attribution is not None:
                    case = self._case(subject, photo, look, entry, attribution)
                    self._value(case, self._plan.value_key(subject, photo, target, wanted), wanted)
                done(cost)
            self._store.drop_attribution(entry["key"])

    def _attribution(
        self, subject: Subject, photo: Given, target: int | None, look: Seen, picture: bool = True
    ) -> tuple[Entry, npt.NDArray[np.float32] | None]:
        """The journal's entry and ``[C, H, W]``; None: the network's answer is not finite."""
        key = self._plan.attribution_key(subject, photo, target)
        entry, kept = self._journal.get(key), self._store.attribution(key)
        if "problem" in entry or (entry and kept is not None):
            return entry, kept
        log.debug("computing attribution %s", key)
        found = subject.explain(look.image, target)
        names = {"kind": "attribution", "photo": photo.name, "method": subject.title}
        if not (np.isfinite(found.attribution).all() and np.isfinite(found.logits).all()):
            problem = "the network's answer or the attribution is not finite"
            return self._journal.append(key, {**names, "problem": problem}), None
        self._store.put_attribution(key, found.attribution)
        if picture:
            self._store.put_heatmap(key, found.heatmap)
        if not entry:
            said = scores(found.logits, subject.column.card)
            entry = self._journal.append(
                key,
                {
                    **names,
                    "explained": found.target,
                    "predicted": int(np.argmax(said)),
                    "score": float(said[found.target]),
                    "seconds": found.seconds,
                },
            )
        return entry, found.attribution

    def _value(self, case: Case, key: str, wanted: Wanted) -> None:
        log.debug("computing value %s", key)
        facts: Entry = {"kind": "value", "metric": wanted.name}
        try:
            value = float(wanted.metric.measure(case, wanted.settings))
            facts |= {"value": value} if np.isfinite(value) else {"problem": f"the value is {value}"}
        except ValueError as error:
            facts["problem"] = str(error)
        self._journal.append(key, facts)

    def _case(
        self,
        subject: Subject,
        photo: Given,
        look: Seen,
        entry: Entry,
        attribution: npt.NDArray[np.float32],
    ) -> Case:
        def remembered(what: str, settings: Settings, compute: Callable[[], Curves]) -> Curves:
            key = self._plan.curves_key(entry["key"], subject, what, settings)
            found = self._journal.get(key)
            if not found:
                log.debug("computing curves %s", key)
                lists = {name: values.tolist() for name, values in compute()._asdict().items()}
                found = self._journal.append(key, {"kind": "curves", "curves": what, **lists})
            return Curves(*(np.asarray(found[name]) for name in Curves._fields))

        def reference(samples: int) -> npt.NDArray[np.float32]:
            limit = subject.references[samples]
            found = self._attribution(limit, photo, entry["explained"], look, picture=False)[1]
            if found is None:
                raise ValueError("the reference is not finite.")
            return found

        card = subject.column.card
        return Case(
            subject.predict, subject.attributions, look.image, attribution, card.signed, entry["explained"],
            card.classes, card.preprocessing, look.regions, look.mask, reference, remembered,
        )  # fmt: skip


def _looks(photo: Given, masks: bool) -> Callable[[Preprocessing], Seen]:
    """What networks see of a photo, read once for each preprocessing."""

    return cache(lambda preprocessing: seen(photo, preprocessing, masks))
