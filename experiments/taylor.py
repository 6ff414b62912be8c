"""SmoothTaylor's tables: perturbed patches and total variation, with fixed and with adaptive noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from smoothserve.evaluation import adaptive_noise, mean, perturbed_patches, total_variation
from smoothserve.explainers import Gradient, IntegratedGradients, explain_program

from .drawing import batlow, grid
from .experiment import Outcome, Table
from .lab import Array, Lab

_LEVELS = (0.3, 0.5, 0.7)  # of fixed noise, in units of the papers' input
_TOGETHER = 10  # roots in one call
Score = Callable[[Array], float]


def run(lab: Lab) -> Outcome:
    """Both scores of every method; of adaptive noising, each with the score that it makes small."""
    roots = lab.choose([4], [150])[0]
    tries = lab.choose([1], [20])[0]
    found: dict[str, list[Array]] = {
        "IntegratedGradients, black": list(lab.attributions(_black(lab))),
        "IntegratedGradients, noise": list(
            lab.attributions(
                IntegratedGradients(lab.choose([4], [50])[0], rule="right", baseline="noise", baselines=2)
            )
        ),
        "SmoothGrad": list(lab.smoothgrads([roots], lab.noise(0.5))[roots]),
    }
    roots_of = _Roots(lab, roots)
    for level in lab.choose([1], [0, 1, 2]):
        noise = lab.noise(_LEVELS[level])
        found[f"SmoothTaylor, {_LEVELS[level]}"] = [roots_of(i, noise) for i in range(len(lab.images))]
    chosen = {}
    for name, scores in (("AUPC", _patches(lab)), ("AUTVC", [_variation] * len(lab.images))):
        searches = [
            adaptive_noise(
                lambda level, i=index, score=score: score(roots_of(i, level)),
                start=float(lab.images[index].abs().mean()),
                tries=tries,
            )
            for index, score in enumerate(scores)
        ]
        chosen[name] = [each.noise for each in searches]
        found[f"SmoothTaylor, adaptive to {name}"] = [
            roots_of(i, each.noise) for i, each in enumerate(searches)
        ]
    patches = _patches(lab)
    rows = []
    for name, attributions in found.items():
        lab.tick(f"scores of {name}")
        aupc = mean([score(each) for score, each in zip(patches, attributions, strict=True)])
        rows.append((name, str(aupc), str(mean([_variation(each) for each in attributions]))))
    levels = "; ".join(f"{name}: {', '.join(f'{x:.2f}' for x in each)}" for name, each in chosen.items())
    pictures = grid(
        lab.titles(), [(name.replace(", ", "\n"), [batlow(a) for a in each]) for name, each in found.items()]
    )
    return Outcome(
        (
            Table(
                f"{lab.name}, {len(lab.images)} photos, {roots} roots; smaller is better",
                _HEADER,
                tuple(rows),
            ),
        ),
        {"grid": pictures},
        (
            "Fixed noise is named in units of the paper's input and is as strong in pixels here.",
            f"Levels that adaptive noising chose, in units of this network's input: {levels}.",
            "The paper has DenseNet-121 and ResNet-152 and 1000 photos of ImageNet, where SmoothTaylor with "
            "adaptive noising is best by both scores.",
        ),
    )


_HEADER = ("method", "AUPC", "AUTVC")


class _Roots:
    """SmoothTaylor at any level of noise without tracing it anew: mean (x - z) J(z)^T v over roots z."""

    def __init__(self, lab: Lab, roots: int) -> None:
        self._lab = lab
        self._model = explain_program(lab.program, Gradient())
        generator = torch.Generator().manual_seed(0)
        self._noise = torch.randn((roots, *lab.images.shape[1:]), generator=generator)
        self._known: dict[tuple[int, float], Array] = {}

    def __call__(self, index: int, level: float) -> Array:
        """Of one photo: ``[C, H, W]``."""
        key = (index, round(level, 6))
        if key not in self._known:
            self._lab.tick(f"SmoothTaylor, noise {level:.3f}, photo {index + 1}")
            target = self._lab.classes[index]
            total = torch.zeros_like(self._lab.images[index])
            for part in self._noise.split(_TOGETHER):
                offsets = level * part
                with torch.no_grad():
                    slopes = self._model(
                        self._lab.images[index] + offsets, target.expand(len(part))
                    ).attribution
                total -= (offsets * slopes).sum(0)
            self._known[key] = (total / len(self._noise)).numpy()
        return self._known[key]


def _black(lab: Lab) -> IntegratedGradients:
    black = tuple(float(-m / s) for m, s in zip(lab.mean, lab.std, strict=True))
    return IntegratedGradients(lab.choose([4], [50])[0], rule="right", baseline=black)


def _patches(lab: Lab) -> list[Score]:
    """AUPC of each photo."""

    def of(image: Array, target: int) -> Score:
        return lambda each: perturbed_patches(lab.predict, image, each.sum(0), lab.mean, lab.std, target)

    return [of(image, k) for image, k in zip(lab.images.numpy(), lab.classes.tolist(), strict=True)]


def _variation(attribution: Array) -> float:
    return total_variation(np.asarray(attribution.sum(0)))
