"""SmoothTaylor's tables: perturbed patches and total variation, with fixed and with adaptive noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from smoothserve.evaluation import adaptive_noise, mean, perturbed_patches, total_variation
from smoothserve.explainers import Gradient, IntegratedGradients

from .drawing import batlow, grid
from .experiment import Outcome, Table
from .lab import Array, Lab

_LEVELS: tuple[float, ...] = (0.3, 0.5, 0.7)  # of fixed noise, in units of the papers' input
_TOGETHER = 10  # roots in one call
Score = Callable[[Array], float]


def run(lab: Lab) -> Outcome:
    """Both scores of every method; of adaptive noising, each with the score that it makes small."""
    if lab.quick:  # AUPC asks for 1500 predictions of each attribution
        lab = lab.of_first_photo()
    roots = lab.choose(4, 150)
    roots_of, patches = Roots(lab, roots), _patches(lab)
    found = _without_search(lab, roots, roots_of)
    levels = {}
    objectives: dict[str, list[Score]] = {
        "AUTVC": [_variation] * len(patches),
        **({} if lab.quick else {"AUPC": patches}),
    }
    for name, scores in objectives.items():
        levels[name] = [_best_level(lab, roots_of, index, score) for index, score in enumerate(scores)]
        chosen = [roots_of(index, level) for index, level in enumerate(levels[name])]
        found[f"SmoothTaylor, adaptive to {name}"] = chosen
    rows = []
    for name, each in found.items():
        lab.tick(f"scores of {name}")
        aupc = mean([score(attribution) for score, attribution in zip(patches, each, strict=True)])
        rows.append((name, str(aupc), str(mean(list(map(_variation, each))))))
    title = f"{lab.name}, {len(patches)} photos, {roots} roots; smaller is better"
    drawn = [(name.replace(", ", "\n"), list(map(batlow, each))) for name, each in found.items()]
    said = "; ".join(f"{name}: {', '.join(f'{x:.2f}' for x in each)}" for name, each in levels.items())
    return Outcome(
        (Table(title, ("method", "AUPC", "AUTVC"), tuple(rows)),),
        {"grid": grid(lab.titles(), drawn)},
        (
            "Fixed noise is named in units of the paper's input and is as strong in pixels here.",
            f"Levels that adaptive noising chose, in units of this network's input: {said}.",
            "The paper has DenseNet-121 and ResNet-152 and 1000 photos of ImageNet, where SmoothTaylor with "
            "adaptive noising is best by both scores.",
        ),
    )


def _without_search(lab: Lab, roots: int, roots_of: Roots) -> dict[str, list[Array]]:
    """Attributions of each photo by rivals, and by SmoothTaylor at fixed levels."""
    steps = lab.choose(4, 50)
    black = tuple(float(-m / s) for m, s in zip(lab.mean, lab.std, strict=True))
    rivals = {"black": IntegratedGradients(steps, rule="right", baseline=black)}
    if not lab.quick:
        rivals["noise"] = IntegratedGradients(steps, rule="right", baseline="noise", baselines=2)
    found = {f"IntegratedGradients, {name}": list(lab.attributions(each)) for name, each in rivals.items()}
    found["SmoothGrad"] = list(lab.smoothgrads([roots], lab.noise(0.5))[roots])
    for level in lab.choose(_LEVELS[1:2], _LEVELS):
        noise = lab.noise(level)
        found[f"SmoothTaylor, {level}"] = [roots_of(i, noise) for i in range(len(lab.images))]
    return found


def _best_level(lab: Lab, roots_of: Roots, index: int, score: Score) -> float:
    """As adaptive noising finds it for one photo."""
    start, tries = float(lab.images[index].abs().mean()), lab.choose(1, 20)
    return adaptive_noise(lambda level: score(roots_of(index, level)), start, tries=tries).noise


class Roots:
    """SmoothTaylor at any level of noise without tracing it anew: mean (x - z) J(z)^T v over roots z."""

    def __init__(self, lab: Lab, roots: int) -> None:
        self._lab = lab
        self._model = lab.model(Gradient())
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


def _patches(lab: Lab) -> list[Score]:
    """AUPC of each photo."""

    def of(image: Array, target: int) -> Score:
        return lambda each: perturbed_patches(lab.predict, image, each.sum(0), lab.mean, lab.std, target)

    return [of(image, k) for image, k in zip(lab.images.numpy(), lab.classes.tolist(), strict=True)]


def _variation(attribution: Array) -> float:
    return total_variation(np.asarray(attribution.sum(0)))
