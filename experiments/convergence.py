"""SmoothDiff, Figures 2 and 7: how fast SmoothDiff and SmoothGrad approach a converged SmoothGrad."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from smoothserve.evaluation import batlow_similarity, cosine, magnitude_ratio, mean
from smoothserve.explainers import SmoothDiff

from .drawing import COLOURS, drawn
from .experiment import Outcome, Table
from .heatmaps import STD, published
from .lab import Array, Lab

Measure = Callable[[Array, Array], float]


def ssim(lab: Lab) -> Outcome:
    """Figure 2: SSIM of pictures in batlow."""
    counts, reference, found, std = _measured(lab)
    return _outcome(lab, counts, reference, found, {"SSIM": batlow_similarity}, std)


def cosines(lab: Lab) -> Outcome:
    """Figure 7: cosine and ratio of magnitudes of attributions."""
    counts, reference, found, std = _measured(lab)
    measures: dict[str, Measure] = {"cosine": cosine, "magnitude": magnitude_ratio}
    return _outcome(lab, counts, reference, found, measures, std)


def _measured(lab: Lab) -> tuple[list[int], Array, dict[str, dict[int, Array]], float]:
    std = lab.noise(STD)
    counts = lab.choose([1, 4], [1, 2, 4, 8, 16, 32, 64])
    last = lab.choose([16], [2000])[0]
    reference = lab.smoothgrads([last], std, seed=1)[last]
    found = {
        "SmoothDiff": {n: lab.attributions(published(n, std)) for n in counts},
        "SmoothDiff, fitted": {
            n: lab.attributions(SmoothDiff(n, std, estimator="gaussian")) for n in counts if n > 1
        },
        "SmoothGrad": lab.smoothgrads(counts, std),
    }
    return counts, reference, found, std


def _outcome(
    lab: Lab,
    counts: Sequence[int],
    reference: Array,
    found: Mapping[str, Mapping[int, Array]],
    measures: Mapping[str, Measure],
    std: float,
) -> Outcome:
    tables, curves = [], {}
    for name, measure in measures.items():
        values = {
            method: {
                n: [measure(a, b) for a, b in zip(each, reference, strict=True)] for n, each in per.items()
            }
            for method, per in found.items()
        }
        rows = tuple(
            (method, *(str(mean(per[n])) if n in per else "" for n in counts))
            for method, per in values.items()
        )
        title = f"{name} to SmoothGrad of {_samples(lab)} samples, mean over {len(lab.images)} photos"
        tables.append(Table(title, ("method", *(f"n = {n}" for n in counts)), rows))
        curves[name] = {m: {n: float(np.mean(v)) for n, v in per.items()} for m, per in values.items()}
    said = (
        f"Noise of deviation {std:.3g} here is as strong in pixels as {STD} in the paper, whose reference "
        "has 100,000 samples of VGG-19.",
        "SmoothDiff is the published estimator; fitted is this package's, with pairs of samples.",
    )
    return Outcome(tuple(tables), {"curves": _picture(curves)}, said)


def _samples(lab: Lab) -> int:
    return lab.choose([16], [2000])[0]


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
