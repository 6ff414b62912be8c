"""What the terminal and the JSON file say of it all."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arguments import given
from ..versions import versions
from ..words import aligned
from .choice import Choice, rule
from .scoring import OBJECTIVES, Subject
from .search import Found
from .settings import Tuned
from .sweep import Cell

_KEPT = 0.75  # of a class's probability; docs/how-to/choose-a-method.md has what happens below
_MANY = 8  # photos; intervals of fewer are too narrow
_PACKAGES = ("smoothserve", "torch", "numpy", "scipy", "scikit-image")


def export_command(
    arguments: argparse.Namespace, flags: Mapping[str, str], tuned: Tuned, choice: Choice
) -> str:
    """The command to type.

    Args:
        arguments: of tune; the model's options are repeated as they were given.
        flags: of those options, by their names among the arguments.
        tuned: the method.
        choice: its noise and samples.
    """
    words = ["smoothserve", "export", str(arguments.model), "--method", tuned.name]
    for name, value in tuned.fixed.items():
        words += [f"--{name}", str(value)]
    words += ["--noise", choice.cell.level.text, "--samples", str(choice.cell.samples)]
    for name, value in given(arguments, flags).items():
        words += _option(flags[name], value)
    return shlex.join([*words, "-o", "model.onnx"])


def _option(flag: str, value: Any) -> list[str]:
    if value is True:
        return [flag]
    text = str(value)
    if isinstance(value, tuple):
        text = ("x" if flag == "--size" else ",").join(str(each) for each in value)
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def table(cells: Sequence[Cell], choice: Choice, objective: str) -> str:
    """For a terminal; the recommended row is marked."""
    rows = [["", "noise", "samples", "evaluations", "time", objective.upper(), "SSIM", "cosine", "class"]]
    for cell in cells:
        rows.append(
            [
                "->" if cell is choice.cell else "",
                cell.level.text,
                str(cell.samples),
                str(cell.evaluations),
                f"{1000 * cell.seconds:.0f} ms",
                _figure(cell.scores, cell.score),
                _figure(cell.ssim, cell.similarity),
                f"{np.mean(cell.cosine):.3f}",
                f"{np.mean(cell.kept):.0%}",
            ]
        )
    return aligned(rows, right=True)


def _figure(values: Sequence[float], mean: Any) -> str:
    return str(mean) if len(values) > 1 else f"{mean.value:.3f}"


def of_search(search: Found, tuned: Tuned) -> list[str]:
    """A line for each search, and one for all."""
    lines = [
        f"{name}: noise {tuned.level(each.noise).text}, score {each.score:.3f} "
        f"({len(each.tried)} levels, from {tuned.level(each.tried[0][0]).text})"
        for name, each in search.searches.items()
    ]
    if len(search.searches) > 1:
        low, high = (tuned.level(each).text for each in search.quartiles)
        lines.append(f"median {tuned.level(search.median).text}, half of them from {low} to {high}")
    return lines


def of_choice(choice: Choice, tuned: Tuned, within: float) -> list[str]:
    """The rule, and how much better than the default that is."""
    lines = [rule(within)]
    kept = float(np.mean(choice.cell.kept))
    if kept < _KEPT:
        lines.append(
            f"note: noisy copies keep {kept:.0%} of the class's probability at {choice.cell.level.text}: the "
            "heatmap is more about how the network sees noise. Sweep less: --search none --noise LIST."
        )
    if choice.cell.level == tuned.default:
        return [*lines, f"no noise that was tried is surely better than the default, {tuned.default.text}"]
    if choice.against is not None:
        value, low, high = choice.against
        few = len(choice.cell.scores) < _MANY
        sure = "surely" if high < 0 or low > 0 else "not surely"
        kind = "worse" if value > 0 else "better"
        lines.append(
            f"at as many samples its score is {abs(value):.3f} {kind} than that "
            f"of the default noise, {tuned.default.text}, {sure}: {value:+.3f}, 95 % interval {low:+.3f} to "
            f"{high:+.3f}, and less is better"
            + (f" (of {len(choice.cell.scores)} photos, which is few)" if few else "")
        )
    return lines


def as_json(
    arguments: argparse.Namespace,
    tuned: Tuned,
    subjects: Sequence[Subject],
    left_out: Sequence[str],
    search: Found | None,
    cells: Sequence[Cell],
    choice: Choice,
    command: str,
) -> dict[str, Any]:
    """All figures. Levels of the search are in per cent of the range from black to white."""
    return {
        "made_by": "smoothserve tune",
        "model": str(arguments.model),
        "method": tuned.name,
        **tuned.fixed,
        "objective": arguments.objective,
        "objective_in_words": OBJECTIVES[arguments.objective],
        "patches": arguments.patches,
        "reference_samples": arguments.reference,
        "within": arguments.within,
        "photos": [{"name": each.name, "class": each.target} for each in subjects],
        "left_out": list(left_out),
        "search": None if search is None else _search_json(search, tuned),
        "cells": [_cell_json(cell) for cell in cells],
        "recommended": {
            "noise": choice.cell.level.text,
            "std": choice.cell.level.std,
            "samples": choice.cell.samples,
            "rule": rule(arguments.within),
            "against_default": None if choice.against is None else choice.against._asdict(),
            "command": command,
        },
        "versions": versions(*_PACKAGES),
    }


def _search_json(search: Found, tuned: Tuned) -> dict[str, Any]:
    def share(level: float) -> float:
        return 100 * level / tuned.span

    return {
        "samples": search.samples,
        "median_percent": share(search.median),
        "quartiles_percent": [share(each) for each in search.quartiles],
        "searches": {
            name: {
                "noise_percent": share(each.noise),
                "score": each.score,
                "tried": [{"noise_percent": share(level), "score": score} for level, score in each.tried],
            }
            for name, each in search.searches.items()
        },
    }


def _cell_json(cell: Cell) -> dict[str, Any]:
    return {
        "noise": cell.level.text,
        "std": cell.level.std,
        "samples": cell.samples,
        "evaluations": cell.evaluations,
        "seconds": cell.seconds,
        "scores": list(cell.scores),
        "ssim": list(cell.ssim),
        "cosine": list(cell.cosine),
        "kept": list(cell.kept),
    }


def files(output: Path) -> tuple[Path, Path]:
    """Where the JSON and the plot go."""
    return output / "tune.json", output / "tune.png"
