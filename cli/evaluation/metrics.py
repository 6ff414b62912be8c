"""The metrics that 'smoothserve evaluate' knows, in one table; a new one is a row here, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from scipy.integrate import trapezoid
from smoothserve.evaluation import (
    Curves,
    average_sensitivity,
    complexity,
    cosine,
    gain,
    grey_similarity,
    local_lipschitz,
    mass_accuracy,
    perturbed_patches,
    pointing_game,
    random_logit,
    rank_accuracy,
    remove_and_debias,
    sparseness,
    total_variation,
)

from .case import IMPUTERS, Case, Settings

Value = int | str
_SOLVE = 4.0  # forward passes in whose time pixels are inpainted once
_EXPLAINED = 10.0  # forward passes in whose time a photo is explained, about


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: on the command line.
        title: in tables.
        asks: what it measures, in a sentence.
        higher: whether larger values are better.
        source: of the definition.
        measure: the value of a photo that a method explains; ValueError: it has none, and why.
        cost: how long that takes about, in forward passes of the network.
        settings: names and defaults; of texts, the values that there are stand in :data:`CHOICES`.
        needs: what there must be: ``mask``, ``probability`` (the network's outputs give some), ``reference``
            (MODEL is a name, so that more samples can be drawn).
        family: of the curves that it comes from: ``pixels`` or ``superpixels`` of :class:`.case.Case`.
        curves: which of them, ``most`` and ``least``.
    """

    name: str
    title: str
    asks: str
    higher: bool
    source: str
    measure: Callable[[Case, Settings], float]
    cost: Callable[[Settings], float] = lambda settings: 0.5
    settings: Mapping[str, Value] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    family: str = ""
    curves: tuple[str, ...] = ()


CHOICES = {"imputer": tuple(IMPUTERS)}


def _pixels(settings: Settings) -> float:
    solves = _SOLVE if settings["imputer"] == "inpainted" else 0
    return float(2 * settings["steps"] * (1 + solves))


def _superpixels(settings: Settings) -> float:
    draws, solves = {"histogram": (5, 0.0), "inpainted": (1, _SOLVE)}.get(settings["imputer"], (1, 0.0))
    return float(2 * min(15, settings["count"]) * draws * (1 + solves))


def _nearby(settings: Settings) -> float:
    return float((settings["samples"] + 1) * _EXPLAINED)


def _area(curves: Curves, which: Literal["most", "least"]) -> float:
    """Insertion and deletion of smoothserve.evaluation, from curves that other metrics share."""
    return float(trapezoid(getattr(curves, which), curves.occluded))


def _patches(case: Case, settings: Settings) -> float:
    pre = case.preprocessing
    return perturbed_patches(case.predict, case.image, case.scores, pre.mean, pre.std, case.target)


_FLIPS: Mapping[str, Value] = {"steps": 25, "imputer": "constant"}
_SEGMENTS: Mapping[str, Value] = {"count": 25, "imputer": "constant"}
_SAMPLES: Mapping[str, Value] = {"samples": 256}
_NEAR: Mapping[str, Value] = {"samples": 10}
_PROBABILITY, _MASK, _REFERENCE = (frozenset({need}) for need in ("probability", "mask", "reference"))

METRICS = (
    Metric(
        "srg", "SRG", "how much longer the class survives when unimportant regions of the photo are taken "
        "away first than when important ones are; superpixels", True, "Bluecher et al. 2024",
        lambda case, settings: gain(case.superpixel_curves(settings)),
        _superpixels, _SEGMENTS, _PROBABILITY, "superpixels", ("most", "least"),
    ),
    Metric(
        "srg-pixels", "SRG, pixels", "the same, pixel by pixel", True,
        "Bluecher et al. 2024; pixels as in SmoothDiff's experiments, without their cut at 0",
        lambda case, settings: gain(case.pixel_curves(settings)),
        _pixels, _FLIPS, _PROBABILITY, "pixels", ("most", "least"),
    ),
    Metric(
        "insertion", "Insertion", "how soon the class is there while important pixels appear, on a "
        "blurred photo",
        True, "Petsiuk et al. 2018 (RISE)",
        lambda case, settings: _area(case.pixel_curves(settings), "least"),
        _pixels, {**_FLIPS, "imputer": "blurred"}, _PROBABILITY, "pixels", ("least",),
    ),
    Metric(
        "deletion", "Deletion", "how long the class survives while the most important pixels vanish", False,
        "Petsiuk et al. 2018 (RISE)",
        lambda case, settings: _area(case.pixel_curves(settings), "most"),
        _pixels, _FLIPS, _PROBABILITY, "pixels", ("most",),
    ),
    Metric(
        "road", "ROAD", "probability without the least important pixels minus that without the most "
        "important ones, half of it; pixels are guessed from their neighbours", True, "Rong et al. 2022",
        lambda case, settings: remove_and_debias(case.predict, case.image, case.scores, case.target),
        lambda settings: 18 * (1 + _SOLVE), {}, _PROBABILITY,
    ),
    Metric(
        "aupc", "AUPC", "the logit while important patches become noise, relative to the clean one", False,
        "Goh et al. 2021 (SmoothTaylor)", _patches, lambda settings: 1500.0,
    ),
    Metric(
        "autvc", "AUTVC", "how noisy the heatmap is, from fine to coarse", False,
        "Goh et al. 2021 (SmoothTaylor)", lambda case, settings: total_variation(case.scores),
    ),
    Metric(
        "mass", "Mass", "the share of positive attribution that lies on the object's mask", True,
        "Arras et al. 2022", lambda case, settings: mass_accuracy(case.scores, case.object), needs=_MASK,
    ),
    Metric(
        "rank", "Rank", "the share of the highest scores that lies on the mask", True, "Arras et al. 2022",
        lambda case, settings: rank_accuracy(case.scores, case.object), needs=_MASK,
    ),
    Metric(
        "pointing", "Pointing", "whether the highest score lies on the mask", True, "Zhang et al. 2018",
        lambda case, settings: float(pointing_game(case.scores, case.object)), needs=_MASK,
    ),
    Metric(
        "sparseness", "Sparseness", "how few pixels hold the attribution: the Gini index", True,
        "Chalasani et al. 2020", lambda case, settings: sparseness(case.scores),
    ),
    Metric(
        "complexity", "Complexity", "over how many pixels it is spread: the entropy, in nats", False,
        "Bhatt et al. 2020", lambda case, settings: complexity(case.scores),
    ),
    Metric(
        "sensitivity", "Sensitivity", "how far the heatmap moves under a little uniform noise, relative to "
        "itself", False, "Bhatt et al. 2020, as Quantus has it",
        lambda case, settings: average_sensitivity(
            case.explainer, case.image, case.target, samples=settings["samples"]
        ),
        _nearby, _NEAR,
    ),
    Metric(
        "lipschitz", "Lipschitz", "the steepest that it moves near the photo", False,
        "Alvarez-Melis and Jaakkola 2018, as Quantus has it",
        lambda case, settings: local_lipschitz(
            case.explainer, case.image, case.target, samples=settings["samples"]
        ),
        _nearby, _NEAR,
    ),
    Metric(
        "random-logit", "RandomLogit", "how alike the heatmap of another class, drawn at random, is", False,
        "Sixt et al. 2020, as Quantus has it",
        lambda case, settings: random_logit(
            case.explainer, case.image, case.target, case.classes
        ),
        lambda settings: 2 * _EXPLAINED,
    ),
    Metric(
        "cosine", "Cosine", "likeness to what the method converges to with more samples, if "
        "it has any", True,
        "SmoothDiff (NeurIPS 2025)",
        lambda case, settings: cosine(case.attribution, case.reference(settings["samples"])),
        settings=_SAMPLES, needs=_REFERENCE,
    ),
    Metric(
        "ssim", "SSIM", "the same of grey heatmaps, as structural similarity", True, "Wang et al. 2004",
        lambda case, settings: grey_similarity(case.attribution, case.reference(settings["samples"])),
        settings=_SAMPLES, needs=_REFERENCE,
    ),
)  # fmt: skip

BY_NAME = {metric.name: metric for metric in METRICS}
DEFAULT = "srg,srg:imputer=inpainted,insertion,deletion,road,autvc,sparseness,complexity"
WITH_MASKS = "mass,rank,pointing"  # as well, where all photos have masks
