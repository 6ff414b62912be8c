"""SmoothDiff, Figures 5 and 14: what needs no network, colour maps and smoothed ReLUs."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from scipy.special import expit, ndtr
from skimage.color import deltaE_ciede2000, rgb2lab

from .drawing import COLOURS, drawn
from .experiment import Outcome, Table
from .lab import Lab

_MAPS = ("batlow", "jet")


def colour_maps(lab: Lab) -> Outcome:
    """Figure 5: CIELab lightness, and CIEDE2000 between neighbours times their number."""
    from cmcrameri.cm import batlow
    from matplotlib import colormaps

    figure = Figure(figsize=(8, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = []
    for name, colours in zip(_MAPS, (batlow, colormaps["jet"]), strict=True):
        rgb = colours(np.linspace(0, 1, colours.N))[:, :3]
        lab_colours = rgb2lab(rgb)
        light = lab_colours[:, 0]
        speed = deltaE_ciede2000(lab_colours[:-1], lab_colours[1:]) * (colours.N - 1)
        left.scatter(np.linspace(0, 1, colours.N), light, c=rgb, s=4)
        right.scatter(np.linspace(0, 1, colours.N - 1), speed, c=rgb[1:], s=4)
        turns = int((np.diff(np.sign(np.diff(light))) != 0).sum())
        rows.append((name, turns, round(float(speed.mean()), 1), round(float(speed.max()), 1)))
    left.set(xlabel="position in the map", ylabel="lightness (CIELab)")
    right.set(xlabel="position in the map", ylabel="difference of neighbours (CIEDE2000)")
    ratios = [row[3] / row[2] for row in rows]
    return Outcome(
        (Table("Colour maps", ("map", "turns of lightness", "mean difference", "largest"), tuple(rows)),),
        {"colours": drawn(figure)},
        (
            f"At its fastest place batlow changes {ratios[0]:.1f} times as fast as on average, jet "
            f"{ratios[1]:.1f} times: jet shows edges where values have none.",
        ),
    )


def smoothed_relus(lab: Lab) -> Outcome:
    """Figure 14: softplus of beta smoothing, and what noise makes of ReLU."""
    x = np.linspace(-4, 4, 501)
    softplus = np.logaddexp(0, x)
    under_noise = x * ndtr(x) + np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)  # E[relu(x + e)], deviation 1
    slopes = {"BetaSmoothing": expit(x), "SmoothDiff": ndtr(x), "Gradient": (x > 0).astype(float)}
    values = {"BetaSmoothing": softplus, "SmoothDiff": under_noise, "Gradient": np.maximum(x, 0)}
    names = {
        "BetaSmoothing": "softplus, beta = 1",
        "SmoothDiff": "under noise of deviation 1",
        "Gradient": "ReLU",
    }
    figure = Figure(figsize=(8, 3), layout="constrained")
    for axis, curves, label in zip(figure.subplots(1, 2), (values, slopes), ("f(x)", "f'(x)"), strict=True):
        for method, curve in curves.items():
            axis.plot(x, curve, color=COLOURS[method], label=names[method])
        axis.set(xlabel="x", ylabel=label)
    figure.axes[0].legend(fontsize=7)
    apart = [float(np.abs(expit(beta * x) - ndtr(x)).max()) for beta in (1.0, 1.702)]
    return Outcome(
        (),
        {"functions": drawn(figure)},
        (
            f"Slopes of softplus and of ReLU under noise differ by {apart[0]:.3f} at most where beta = 1, "
            f"and by {apart[1]:.4f} where beta = 1.702: at one gate the two methods are one. SmoothDiff's "
            "deviation is each gate's own, found from samples.",
        ),
    )
