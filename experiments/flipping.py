"""SmoothDiff, Figure 4 and Table 1: symmetric relevance gain over samples, by flipping pixels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from smoothserve.evaluation import flipped, pixel_gain
from smoothserve.explainers import BetaSmoothing, GradCAM, Gradient, InputTimesGradient, SmoothDiff

from .drawing import COLOURS, drawn
from .experiment import Cell, Outcome, Table
from .lab import Array, Lab
from .setting import STD, as_strong, counts, published

PUBLISHED = Table(
    "Published: VGG-19, 128 photos of ImageNet, 1000 steps",
    ("method", "1", "2", "4", "8", "16", "64", "2048"),
    (
        ("SmoothDiff", 0.256, 0.294, 0.316, 0.311, 0.309, 0.298, 0.291),
        ("SmoothGrad", 0.252, "", "", 0.284, "", 0.303, 0.295),
        ("BetaSmoothing(1)", 0.230, "", "", "", "", "", ""),
        ("InputTimesGradient", 0.224, "", "", "", "", "", ""),
        ("Gradient", 0.166, "", "", "", "", "", ""),
        ("LRP, EpsilonPlus", 0.387, "", "", "", "", "", ""),
    ),
)


def run(lab: Lab) -> Outcome:
    """Table 1 and its curves."""
    std = lab.noise(STD)
    steps, numbers = lab.choose(10, 200), counts(lab)
    sampled = lab.smoothgrads(numbers, std)
    single = {
        "BetaSmoothing(1)": BetaSmoothing(1.0),
        "InputTimesGradient": InputTimesGradient(),
        "Gradient": Gradient(),
        "SmoothDiff, default": SmoothDiff(),
        "GradCAM": GradCAM(),
        type(lab.relevance).__name__: lab.relevance,
    }
    gains: dict[str, dict[int, float]] = {"SmoothDiff": {}, "SmoothGrad": {}}
    for n in numbers:
        gains["SmoothDiff"][n] = _gain(lab, lab.attributions(published(n, std)), steps)
        gains["SmoothGrad"][n] = _gain(lab, sampled[n], steps)
    for name, method in single.items():
        gains[name] = {1: _gain(lab, lab.attributions(method), steps)}
    chance = np.random.default_rng(0).standard_normal(lab.images.shape).astype(np.float32)
    gains["chance"] = {1: _gain(lab, chance, steps)}
    rows: list[tuple[Cell, ...]] = [
        (name, *(round(per[n], 3) if n in per else "" for n in numbers)) for name, per in gains.items()
    ]
    title = f"{lab.name}, {len(lab.images)} photos, {steps} steps, columns: samples"
    return Outcome(
        (Table(title, ("method", *map(str, numbers)), tuple(rows)), PUBLISHED),
        {"curves": _picture(gains)},
        (
            f"{as_strong(std)} {steps} steps are in place of 1000, which averages the same curves more "
            "coarsely.",
            "Figures of another network and of few photos are not those of the paper: compare their order.",
        ),
    )


def _gain(lab: Lab, attributions: Array, steps: int) -> float:
    lab.tick("flipping pixels")
    curves = [
        flipped(lab.predict, image, np.linalg.norm(each, axis=0), target=int(k), steps=steps)
        for image, each, k in zip(lab.images.numpy(), attributions, lab.classes, strict=True)
    ]
    return pixel_gain(curves)


def _picture(gains: Mapping[str, Mapping[int, float]]) -> Image.Image:
    figure = Figure(figsize=(5.5, 3.4), layout="constrained")
    axis = figure.subplots()
    for name, per in gains.items():
        colour = COLOURS.get(name.partition("(")[0])
        if len(per) > 1:
            axis.plot(list(per), list(per.values()), marker=".", color=colour, label=name)
        else:
            axis.axhline(per[1], color=colour or "#999999", linestyle=":", linewidth=1)
            axis.annotate(name, (1, per[1]), fontsize=6, va="bottom")
    axis.set_xscale("log", base=2)
    axis.set(xlabel="samples", ylabel="symmetric relevance gain")
    axis.legend(fontsize=7)
    return drawn(figure)
