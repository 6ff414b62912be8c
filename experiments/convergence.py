"""SmoothDiff, Figures 2 and 7: how fast SmoothDiff and SmoothGrad approach a converged SmoothGrad."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from smoothserve.evaluation import batlow_similarity, cosine, magnitude_ratio, mean
from smoothserve.explainers import SmoothDiff

from .drawing import COLOURS, drawn
from .experiment import Outcome, Table
from .lab import Array, Lab
from .setting import STD, as_strong, counts, published

Measure = Callable[[Array, Array], float]


def ssim(lab: Lab) -> Outcome:
    """Figure 2: SSIM of pictures in batlow."""
    return _outcome(lab, {"SSIM": batlow_similarity})


def cosines(lab: Lab) -> Outcome:
    """Figure 7: cosine and ratio of magnitudes of attributions."""
    return _outcome(lab, {"cosine": cosine, "magnitude": magnitude_ratio})


def _outcome(lab: Lab, measures: Mapping[str, Measure]) -> Outcome:
    std, numbers = lab.noise(STD), counts(lab)
    last = lab.choose(16, 2000)
    reference = lab.smoothgrads([last], std, seed=1)[last]
    found = {
        "SmoothDiff": {n: lab.attributions(published(n, std)) for n in numbers},
        "SmoothDiff, fitted": {
            n: lab.attributions(SmoothDiff(n, std, estimator="gaussian")) for n in numbers if n > 1
        },
        "SmoothGrad": lab.smoothgrads(numbers, std),
    }
    tables, curves = [], {}
    for name, measure in measures.items():
        values = {
            method: {
                n: [measure(a, b) for a, b in zip(each, reference, strict=True)] for n, each in per.items()
            }
            for method, per in found.items()
        }
        rows = tuple(
            (method, *(str(mean(per[n])) if n in per else "" for n in numbers))
            for method, per in values.items()
        )
        title = f"{name} to SmoothGrad of {last} samples, mean over {len(lab.images)} photos"
        tables.append(Table(title, ("method", *(f"n = {n}" for n in numbers)), rows))
        curves[name] = {m: {n: float(np.mean(v)) for n, v in per.items()} for m, per in values.items()}
    said = (
        f"{as_strong(std)} The paper's reference has 100,000 samples of VGG-19.",
        "SmoothDiff is the published estimator; fitted is this package's, with pairs of samples.",
    )
    return Outcome(tuple(tables), {"curves": _picture(curves)}, said)


def _picture(curves: Mapping[str, Mapping[str, Mapping[int, float]]]) -> Image.Image:
    figure = Figure(figsize=(4.5 * len(curves), 3), layout="constrained")
    for axis, (name, per) in zip(
        figure.subplots(1, len(curves), squeeze=False)[0], curves.items(), strict=True
    ):
        for method, values in per.items():
            colour, line = COLOURS[method.partition(",")[0]], "--" if "," in method else "-"
            axis.plot(list(values), list(values.values()), line, marker=".", color=colour, label=method)
        axis.set_xscale("log", base=2)
        axis.set(xlabel="samples", ylabel=name)
        axis.legend(fontsize=7)
    return drawn(figure)
