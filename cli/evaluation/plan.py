"""What is to be measured: methods x photos x metrics, and names of all values by what determines them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..files import write
from ..versions import versions
from . import keys
from .metric_list import Wanted
from .photos import Given
from .subjects import Subject

COMMAND = "smoothserve evaluate"
LISTED = "plan.json"
_RUNTIME = ("onnxruntime", "numpy", "pillow")
_METRICS = ("onnxruntime", "numpy", "scipy", "scikit-image")


@dataclass(frozen=True)
class Plan:
    """All of it.

    Attributes:
        subjects: the methods.
        metrics: with their settings.
        photos: in their order.
        classes: of each photo the class that it shows, as it is written; None: nobody says, and the
            predicted one is explained.
    """

    subjects: tuple[Subject, ...]
    metrics: tuple[Wanted, ...]
    photos: tuple[Given, ...]
    classes: tuple[str, ...] | None

    @property
    def masks(self) -> bool:
        """Whether a metric needs some."""
        return any("mask" in wanted.metric.needs for wanted in self.metrics)

    def applies(self, wanted: Wanted, subject: Subject, photo: Given) -> bool:
        """Whether photo and method have what the metric needs: a mask, something to converge to."""
        needs = wanted.metric.needs
        if "reference" in needs and _reference(subject, wanted) is None:
            return False
        return "mask" not in needs or photo.mask is not None

    def attribution_key(self, subject: Subject, photo: Given, target: int | None) -> str:
        """Of what a method says of a photo."""
        return keys.digest(
            {
                "method": subject.key,
                "preprocessing": repr(subject.column.card.preprocessing),
                "photo": photo.key,
                "target": target,
                "code": self.code["reading photos"],
                "versions": versions(*_RUNTIME),
            }
        )

    def value_key(self, subject: Subject, photo: Given, target: int | None, wanted: Wanted) -> str:
        """Of one value."""
        needs = wanted.metric.needs
        reference = None
        if "reference" in needs and (limit := _reference(subject, wanted)) is not None:
            reference = limit.key
        return self._measured(
            self.attribution_key(subject, photo, target),
            subject,
            {
                "metric": wanted.metric.name,
                "settings": dict(wanted.settings),
                "mask": photo.mask_key if "mask" in needs else None,
                "reference": reference,
            },
        )

    def curves_key(self, attribution: str, subject: Subject, what: str, settings: Mapping[str, Any]) -> str:
        """Of curves, from which several values come."""
        return self._measured(attribution, subject, {"curves": what, "settings": dict(settings)})

    def _measured(self, attribution: str, subject: Subject, facts: Mapping[str, Any]) -> str:
        return keys.digest(
            {
                "attribution": attribution,
                "network": subject.network,
                "code": self.code["metrics"],
                "versions": versions(*_METRICS),
                **facts,
            }
        )

    @cached_property
    def code(self) -> dict[str, str]:
        """Of what computes."""
        table = [keys.of_code(f"{__package__}.{name}") for name in ("metrics", "case")]
        return {
            "reading photos": keys.of_code("smoothserve.handlers.images"),
            "metrics": keys.digest([keys.of_code("smoothserve.evaluation"), *table]),
        }

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What determines the results, ready for JSON: names to keys."""
        return {
            "made_by": COMMAND,
            "methods": {subject.title: subject.key for subject in self.subjects},
            "metrics": {wanted.name: "" for wanted in self.metrics},
            **shown(self.photos, self.classes),
            "masks": {photo.name: photo.mask_key for photo in self.photos if self.masks and photo.mask},
            "versions": versions(*sorted({*_RUNTIME, *_METRICS})),
            "code": self.code,
        }


def shown(photos: Sequence[Given], classes: Sequence[str] | None) -> dict[str, Any]:
    """What determines the results and is known before any method is exported."""
    return {
        "photos": {photo.name: photo.key for photo in photos},
        "classes": dict(zip((photo.name for photo in photos), classes, strict=True)) if classes else {},
    }


def claim(output: Path, facts: Mapping[str, Any], update: bool) -> None:
    """Make the results' folder and let it say whose it is: before there is a plan a kill may come.

    Args:
        output: the folder.
        facts: what is known of the plan so far, see :func:`shown`.
        update: whether another plan may be replaced.

    Raises:
        UsageError: the folder has another plan.
    """
    output.mkdir(parents=True, exist_ok=True)
    if (output / LISTED).exists():
        _refuse_another(output, facts, update)
    else:
        write(output / LISTED, json.dumps({"made_by": COMMAND}).encode())


def begin(plan: Plan, output: Path, update: bool) -> None:
    """Write the plan into the results' folder, unless that has another one.

    Args:
        plan: that is to be followed.
        output: the folder, which is claimed.
        update: whether another plan may be replaced.

    Raises:
        UsageError: it has another one, and may not lose it.
    """
    _refuse_another(output, plan.facts, update)
    write(output / LISTED, json.dumps(plan.facts, indent=1, ensure_ascii=False).encode())


def _refuse_another(output: Path, facts: Mapping[str, Any], update: bool) -> None:
    before = json.loads((output / LISTED).read_text(encoding="utf-8"))
    found = differences(before, facts) if "methods" in before else []
    if found and not update:
        raise UsageError(
            f"{output} holds results of another plan: {'; '.join(found)}. Give another folder; or "
            "--update, which makes its tables those of this plan and computes only what is not there yet."
        )


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In words: ``metrics: road is new, srg is gone; photos: cat is changed``."""
    found = []
    for part, values in now.items():
        if not isinstance(values, Mapping):
            continue
        old = before.get(part, {})
        words = {
            "new": [name for name in values if name not in old],
            "gone": [name for name in old if name not in values],
            "changed": [name for name in values if name in old and values[name] != old[name]],
        }
        said = [f"{_few(names)} {kind}" for kind, names in words.items() if names]
        if said:
            found.append(f"{part}: {', '.join(said)}")
    return found


def target_of(plan: Plan, subject: Subject, number: int) -> int | None:
    """The class of a photo that a method explains; None: the one that the network predicts."""
    from .truth import class_number

    if plan.classes is None:
        return None
    return class_number(plan.classes[number], subject.column.service.offer)


def _reference(subject: Subject, wanted: Wanted) -> Subject | None:
    return subject.references.get(int(wanted.settings["samples"]))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
