"""Several metrics in one argument, ``srg:imputer=histogram,road``, and what each of them is."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

from smoothserve.handlers.suggestion import did_you_mean

from ..parser import unknown_name
from .metrics import BY_NAME, CHOICES, METRICS, Metric, Value

_IN = " " * 14  # before what is said of a metric


@dataclass(frozen=True)
class Wanted:
    """A metric with its settings.

    Attributes:
        metric: which one.
        settings: all of them.
    """

    metric: Metric
    settings: Mapping[str, Value]

    @property
    def name(self) -> str:
        """As one types it: ``srg:imputer=histogram``; what is by default is left out."""
        return ":".join((self.metric.name, *self._own))

    @property
    def title(self) -> str:
        """In tables: ``SRG, imputer=histogram``."""
        return ", ".join((self.metric.title, *self._own))

    @property
    def cost(self) -> float:
        """About how long a photo takes, in forward passes of the network."""
        return self.metric.cost(self.settings)

    @property
    def _own(self) -> list[str]:
        default = self.metric.settings
        return [f"{name}={value}" for name, value in self.settings.items() if value != default[name]]


def metric_list(text: str) -> tuple[Wanted, ...]:
    """An argparse type: metrics by their names, settings behind colons.

    Raises:
        argparse.ArgumentTypeError: no such metric or setting, a wrong value, or one of them twice.
    """
    found: list[Wanted] = []
    for part in text.split(","):
        wanted = _wanted(part.strip())
        if wanted.name in (other.name for other in found):
            raise argparse.ArgumentTypeError(f"{part!r} is there twice; give each metric, or setting, once")
        found.append(wanted)
    return tuple(found)


def _wanted(part: str) -> Wanted:
    name, *settings = part.split(":")
    metric = BY_NAME.get(name.lower())
    if metric is None:
        raise argparse.ArgumentTypeError(
            f"{unknown_name(name, list(BY_NAME))} '--metrics help' says what each measures"
        )
    values = dict(metric.settings)
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in values:
            raise argparse.ArgumentTypeError(
                f"{part!r}: {metric.name} has no setting {key!r}{did_you_mean(key, list(values)) or '.'} "
                f"It has: {', '.join(values) or 'none'}."
            )
        values[key] = _value(part, key, value)
    return Wanted(metric, values)


def _value(part: str, key: str, text: str) -> Value:
    if key in CHOICES:
        if text not in CHOICES[key]:
            raise argparse.ArgumentTypeError(f"{part!r}: {unknown_name(text, CHOICES[key])}")
        return text
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{part!r}: {key} is {text!r}, expected a whole number from 1")
    return int(text)


def metrics_help() -> str:
    """What each metric measures, which way is better, what it needs, its settings and its source."""
    lines: list[str] = []
    for metric in METRICS:
        better = "larger" if metric.higher else "smaller"
        needs = " Needs masks." if "mask" in metric.needs else ""
        if "reference" in metric.needs:
            needs = " Needs MODEL as a name, not as files."
        settings = "".join(f" :{name}={value}" for name, value in metric.settings.items())
        asks = f"{metric.asks[0].upper()}{metric.asks[1:]}; {better} is better.{needs}"
        name = metric.name.ljust(len(_IN))
        lines.append(f"{name}{metric.title}{f'  {settings.strip()}' if settings else ''}")
        lines += textwrap.wrap(f"{asks} {metric.source}.", 78, initial_indent=_IN, subsequent_indent=_IN)
    choices = "; ".join(f"{name}: {', '.join(values)}" for name, values in CHOICES.items())
    how = f"Settings follow behind colons, as in srg:imputer=histogram:count=50. {choices}."
    return "\n".join([*lines, "", *textwrap.wrap(how, 92), ""])
