"""SmoothDiff, Figures 8 to 13: sensitivity, Lipschitz, RandomLogit, sparseness, complexity and mosaics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from smoothserve.evaluation import (
    Explain,
    Mean,
    average_sensitivity,
    complexity,
    explained_by,
    local_lipschitz,
    mean,
    mosaic_pointing,
    mosaics,
    random_logit,
    reduced,
    sparseness,
)
from smoothserve.explainers import GradCAM, Gradient, Method, SmoothDiff, SmoothGrad

from .drawing import COLOURS, drawn
from .experiment import Outcome, Table
from .lab import Lab
from .setting import STD, as_strong, published

_SAMPLES = 20
PUBLISHED = Table(
    "Published: VGG-19, in brackets ResNet-18; 256 photos of ImageNet, n = 20",
    ("method", "average sensitivity", "local Lipschitz", "mosaics"),
    (
        ("Gradient", ".741 (.724)", ".184 (.228)", ".330 (.385)"),
        ("SmoothGrad", ".554 (.561)", ".073 (.135)", ".328 (.365)"),
        ("SmoothDiff", ".428 (.438)", ".048 (.095)", ".333 (.321)"),
        ("LRP, EpsilonPlus", ".276 (.214)", ".029 (.027)", ".697 (.790)"),
        ("GradCAM", "", "", ".754"),
    ),
)


def run(lab: Lab) -> Outcome:
    """Every metric of every method, mean over photos."""
    std = lab.noise(STD)
    near = lab.choose(2, 200)
    n = lab.choose(4, _SAMPLES)
    methods: dict[str, Method] = {
        "Gradient": Gradient(),
        "SmoothGrad": SmoothGrad(n, std),
        "SmoothDiff": published(n, std),
    }
    if not lab.quick:
        relevance = {type(lab.relevance).__name__: lab.relevance}
        methods |= {"SmoothDiff, default": SmoothDiff(), "GradCAM": GradCAM(), **relevance}
    found = {name: _measured(lab, method, near) for name, method in methods.items()}
    columns = tuple(next(iter(found.values())))
    rows = tuple((name, *(str(each[column]) for column in columns)) for name, each in found.items())
    title = f"{lab.name}, {len(lab.images)} photos, n = {n}, {near} noisy copies for the first two"
    said = [
        f"{as_strong(std)} L2 norms over channels, for the mosaics the sum.",
        "The metrics' own noise is in units of the input, as in Quantus; this network's input is "
        f"{1 / (np.mean(lab.std) * 4.42):.2g} times as wide as that of the paper's networks.",
    ]
    if "mosaics" not in columns:
        said.append("No mosaics: they want four photos of different classes.")
    return Outcome(
        (Table(title, ("method", *columns), rows), PUBLISHED), {"bars": _picture(found)}, tuple(said)
    )


def _measured(lab: Lab, method: Method, near: int) -> dict[str, Mean]:
    model = lab.model(method)

    def attribute(images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            attribution: torch.Tensor = model(images.detach(), targets).attribution
        return attribution

    norm, signed = explained_by(attribute), explained_by(attribute, "sum")

    def over_photos(what: str, metric: Callable[[np.ndarray, int, int], float]) -> Mean:
        lab.tick(f"{what} of {method}")
        each = zip(lab.images.numpy(), lab.classes.tolist(), strict=True)
        return mean([metric(image, target, index) for index, (image, target) in enumerate(each)])

    maps = reduced(lab.attributions(method), "norm")
    found = {
        "average sensitivity": over_photos(
            "sensitivity", lambda image, k, i: average_sensitivity(norm, image, k, samples=near)
        ),
        "local Lipschitz": over_photos(
            "Lipschitz constant", lambda image, k, i: local_lipschitz(norm, image, k, samples=near)
        ),
        "RandomLogit": over_photos(
            "RandomLogit", lambda image, k, i: random_logit(norm, image, k, lab.program.classes, seed=i)
        ),
        "sparseness": mean([sparseness(each) for each in maps]),
        "complexity": mean([complexity(each) for each in maps]),
    }
    if len(set(lab.classes.tolist())) >= 4:
        found["mosaics"] = _on_mosaics(lab, signed)
    return found


def _on_mosaics(lab: Lab, explain: Explain) -> Mean:
    lab.tick("mosaics")
    made = mosaics(lab.images.numpy(), lab.classes.numpy(), count=lab.choose(2, 20))
    return mean([mosaic_pointing(explain, *each) for each in zip(made.images, made.classes, strict=True)])


def _picture(found: dict[str, dict[str, Mean]]) -> Image.Image:
    columns = list(next(iter(found.values())))
    figure = Figure(figsize=(2 * len(columns), 2.6), layout="constrained")
    for axis, column in zip(figure.subplots(1, len(columns)), columns, strict=True):
        for name, each in found.items():
            value = each[column]
            error = 0 if np.isnan(value.error) else value.error
            axis.bar(name, value.value, yerr=error, color=COLOURS[name.partition(",")[0]])
        axis.set_title(column, fontsize=8)
        axis.set_xticks(range(len(found)), list(found), rotation=60, ha="right", fontsize=6)
        axis.tick_params(axis="y", labelsize=6)
    return drawn(figure)
