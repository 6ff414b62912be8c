"""Pictures of SmoothDiff's paper, Figures 1b, 3, 6, 15, 16, 17; SmoothGrad's grid of noise and samples."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter
from smoothserve.evaluation import grey
from smoothserve.explainers import (
    BetaSmoothing,
    GradCAM,
    Gradient,
    InputTimesGradient,
    IntegratedGradients,
    SmoothDiff,
)

from .drawing import batlow, grid
from .experiment import Outcome
from .lab import Array, Lab
from .setting import STD, as_strong, counts, published

_SAMPLES = 10
_BLUR = 10  # pixels, of the second pipeline of Figure 6
_SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)  # of the range from black to white


def comparison(lab: Lab) -> Outcome:
    """Figure 1b: ten samples of each, beside a converged SmoothGrad."""
    std = lab.noise(STD)
    few, many = lab.choose([4, 16], [_SAMPLES, 1000])
    sampled = lab.smoothgrads([few, many], std)
    rows = [
        ("Input", list(lab.photos)),
        ("Gradient", _drawn(lab.attributions(Gradient()))),
        (f"SmoothDiff({few})", _drawn(lab.attributions(published(few, std)))),
        (f"SmoothGrad({few})", _drawn(sampled[few])),
        (f"SmoothGrad({many})", _drawn(sampled[many])),
    ]
    return Outcome(pictures={"grid": grid(lab.titles(), rows)}, said=(_as_painted(std),))


def over_samples(lab: Lab) -> Outcome:
    """Figures 3 and 15: more samples from left to right."""
    std = lab.noise(STD)
    numbers = counts(lab)
    sampled = lab.smoothgrads(numbers, std)
    gradients = _drawn(lab.attributions(Gradient()))
    drawn = {n: _drawn(lab.attributions(published(n, std))) for n in numbers}
    pictures = {}
    for index, title in enumerate(lab.titles()):
        rows = [
            ("SmoothDiff", [*(drawn[n][index] for n in numbers), lab.photos[index]]),
            ("SmoothGrad", [*(batlow(sampled[n][index]) for n in numbers), gradients[index]]),
        ]
        pictures[f"photo-{index + 1}"] = grid([*(f"n = {n}" for n in numbers), f"{title}, gradient"], rows)
    return Outcome(pictures=pictures, said=(_as_painted(std),))


def pipelines(lab: Lab) -> Outcome:
    """Figure 6: the same attribution, plainly in batlow, and blurred in jet over the photo."""
    found = lab.attributions(published(_samples(lab), lab.noise(STD)))
    overlaid = [_overlaid(each, photo) for each, photo in zip(found, lab.photos, strict=True)]
    rows = [("Input", list(lab.photos)), ("batlow", _drawn(found)), ("jet over the photo", overlaid)]
    said = "The lower row hides what is noise in the middle one: a picture says nothing of its method alone."
    return Outcome(pictures={"grid": grid(lab.titles(), rows)}, said=(said,))


def several_classes(lab: Lab) -> Outcome:
    """Figure 16: heatmaps of other classes of the same photo."""
    method = published(_samples(lab), lab.noise(STD))
    best = lab.ranking[:, :3]
    columns = [_drawn(lab.attributions(method, classes)) for classes in best.T]
    rows = []
    for index, photo in enumerate(lab.photos):
        names = [lab.label(number) for number in best[index].tolist()]
        rows.append((" / ".join(names), [photo, *(column[index] for column in columns)]))
    picture = grid(["Input", "first class", "second", "third"], rows)
    said = "The three most probable classes of each photo, where the paper names three classes of one photo."
    return Outcome(pictures={"grid": picture}, said=(said,))


def every_method(lab: Lab) -> Outcome:
    """Figure 17: more methods side by side."""
    std = lab.noise(STD)
    rows = [("Input", list(lab.photos))]
    for method in (
        Gradient(),
        InputTimesGradient(),
        IntegratedGradients(lab.choose(4, 50)),
        BetaSmoothing(10.0),
        published(_samples(lab), std),
        SmoothDiff(),
        GradCAM(),
        lab.relevance,
    ):
        name = type(method).__name__ + (", default" if method == SmoothDiff() else "")
        rows.append((name, _drawn(lab.attributions(method))))
    return Outcome(pictures={"grid": grid(lab.titles(), rows)}, said=(_as_painted(std),))


def smoothgrad_grid(lab: Lab) -> Outcome:
    """SmoothGrad's Figures 3 and 4: noise from left to right, more samples downwards."""
    numbers = lab.choose([1, 4], [1, 10, 25, 50, 100])
    span = 1 / float(np.mean(lab.std))
    found = {share: lab.smoothgrads(numbers, share * span) for share in _SHARES}
    pictures = {}
    for index in range(len(lab.images)):
        rows = [(f"n = {n}", [batlow(found[share][n][index]) for share in _SHARES]) for n in numbers]
        pictures[f"photo-{index + 1}"] = grid([f"noise {share:.0%}" for share in _SHARES], rows)
    return Outcome(pictures=pictures, said=("Noise is a share of the range from black to white.",))


def _samples(lab: Lab) -> int:
    return lab.choose(4, _SAMPLES)


def _as_painted(std: float) -> str:
    colours = "Colours: L2 norm over channels, clipped at the quantiles .001 and .999, batlow."
    return f"{as_strong(std)} {colours}"


def _drawn(attributions: Array) -> list[Image.Image]:
    return [batlow(each) for each in attributions]


def _overlaid(attribution: Array, photo: Image.Image) -> Image.Image:
    from matplotlib import colormaps

    plain = Image.fromarray((255 * grey(attribution)).astype(np.uint8))
    soft = np.asarray(plain.filter(ImageFilter.GaussianBlur(_BLUR)), np.float64)
    soft = (soft - soft.min()) / max(float(np.ptp(soft)), 1e-9)
    jet = Image.fromarray(colormaps["jet"](soft, bytes=True)[..., :3])
    return Image.blend(photo.convert("L").convert("RGB"), jet, 0.5)
