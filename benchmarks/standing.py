"""How SmoothDiff's default stands among other methods: metrics on photos, and what a heatmap takes.

usage: python -m benchmarks.standing PHOTOS [--networks squeezenet1_1] [--only metrics|times]

PHOTOS is a folder of benchmarks.cutouts. Digits have no masks. LRP is zennit's, Grad-CAM captum's; the other
methods are ours, in ONNX Runtime, with the noise that the command gives them. What is measured is kept photo
by photo: a run that was stopped goes on. Writes standing.json and the tables of standing.md; hours.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from smoothserve.cli.evaluation.case import Case
from smoothserve.cli.evaluation.metric_list import metric_list
from smoothserve.cli.evaluation.photos import given_photos, seen
from smoothserve.cli.noise import with_noise
from smoothserve.cli.photos import find_photos
from smoothserve.evaluation import Curves, Predict, of_session, superpixels
from smoothserve.explainers import (
    BetaSmoothing,
    Gradient,
    InputTimesGradient,
    IntegratedGradients,
    Method,
    SmoothDiff,
    SmoothGrad,
    SmoothTaylor,
    explain_program,
)
from smoothserve.explainers.capture import capture
from smoothserve.export import prediction_graph, to_onnx
from smoothserve.handlers.card import Preprocessing
from torch import nn

from .digits import digits
from .digits_convolutional import SIDE, trained_family
from .networks import network
from .outside import Attribute, grad_cam, last_features, layer_relevance
from .page import write_page
from .record import Help, Record, add_networks_option, add_out_options, conditions, open_session
from .standing_report import report
from .timing import interleaved

Array = npt.NDArray[np.float32]
DIGITS = "digits"
NETWORKS = ("efficientnet-lite0", "squeezenet1_1", DIGITS)
DEFAULT = "SmoothDiff()"
METHODS: dict[str, Method] = {
    DEFAULT: SmoothDiff(),
    "SmoothDiff(8)": SmoothDiff(8),
    "Gradient": Gradient(),
    "InputTimesGradient": InputTimesGradient(),
    "BetaSmoothing": BetaSmoothing(),
    "SmoothGrad(50)": SmoothGrad(50),
    "IntegratedGradients(50)": IntegratedGradients(50),
    "SmoothTaylor(150)": SmoothTaylor(150),
}
METRICS = metric_list("srg,srg:imputer=inpainted,road,insertion,deletion,mass,rank,pointing,sparseness")
SENSITIVITY = metric_list("sensitivity:samples=4")  # explains five times
SELDOM = 12  # photos for each that sensitivity is measured on
PACKAGES = ("torch", "onnxruntime", "captum", "zennit")


@dataclass(frozen=True)
class Look:
    """One photo: the input ``[C, H, W]``, superpixels given how many, and the mask ``[H, W]`` or None."""

    name: str
    image: Array
    regions: Callable[[int], npt.NDArray[np.intp]]
    mask: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Explainer:
    """A method of a network: an image ``[C, H, W]`` and a class to ``[C, H, W]``, or ``[1, H, W]``."""

    attribute: Callable[[Array, int], Array]
    signed: bool


@dataclass(frozen=True)
class Judged:
    """A network, what it is shown, and what explains it."""

    classifier: nn.Module
    preprocessing: Preprocessing
    looks: list[Look]
    threads: int

    def explainers(self) -> tuple[dict[str, Explainer], Predict]:
        """By name; and the network's logits."""
        example = torch.from_numpy(self.looks[0].image)[None]
        program = capture(self.classifier, example)
        found: dict[str, Explainer] = {}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "explains.onnx"
            for name, method in METHODS.items():
                wanted = with_noise(method, None, self.preprocessing).for_program(program)
                to_onnx(explain_program(program, wanted), path, fast=True)
                session = open_session(path.read_bytes(), self.threads)
                found[name] = Explainer(_of_file(session), wanted.signed)
                print(f"  exported {name}: {wanted}", file=sys.stderr, flush=True)
            plain = prediction_graph(onnx.load(str(path))).SerializeToString()
        predict = of_session(open_session(plain, self.threads))
        outside = {
            "LRP EpsilonPlus (zennit)": layer_relevance(self.classifier),
            "Grad-CAM (captum)": grad_cam(self.classifier, *last_features(self.classifier)),
        }
        for name, attribute in outside.items():
            found[name] = Explainer(_of_module(attribute), True)
        return found, predict


def judged(name: str, photos: Path, threads: int) -> Judged:
    """The network and the photos, or as many digits."""
    files = given_photos(find_photos([str(photos)]))
    if name == DIGITS:
        classifier, _ = trained_family("residual (ResNet)")
        grey = Preprocessing(resize=SIDE, crop=(SIDE, SIDE), mean=(0.305,), std=(0.376,), channels="L")
        images = digits(SIDE).test_images[: len(files)].numpy()
        looks = [
            Look(f"digit {number}", image, cache(lambda count, image=image: superpixels(image, count)))
            for number, image in enumerate(images)
        ]
        return Judged(classifier, grey, looks, threads)
    classifier, preprocessing = network(name)
    each = [(file, seen(file, preprocessing, masks=True)) for file in files]
    looks = [Look(file.name, see.image, see.regions, see.mask) for file, see in each]
    return Judged(classifier, preprocessing, looks, threads)


def measured(
    judged: Judged, explainer: Explainer, predict: Predict, look: Look, seldom: bool
) -> dict[str, float]:
    """All metrics of one photo that a method explains."""
    logits = predict(look.image[None])[0]
    target, shape = int(logits.argmax()), look.image.shape[1:]

    def curves(what: str, settings: Mapping[str, Any], compute: Callable[[], Curves]) -> Curves:
        return compute()  # no two of the metrics share any

    def explain(images: Array, wanted: int) -> Array:
        return np.stack([explainer.attribute(image, wanted) for image in images])

    def reference(samples: int) -> Array:
        raise ValueError("nothing converges here.")

    case = Case(
        predict, explain, look.image, explainer.attribute(look.image, target), explainer.signed, target,
        len(logits), judged.preprocessing, look.regions, look.mask, reference, curves,
    )  # fmt: skip
    assert case.scores.shape == shape, (case.scores.shape, shape)
    metrics = [each for each in METRICS if look.mask is not None or "mask" not in each.metric.needs]
    return {
        each.name: round(float(each.metric.measure(case, each.settings)), 5)
        for each in (*metrics, *(SENSITIVITY if seldom else ()))
    }


def timed(explainers: Mapping[str, Explainer], predict: Predict, image: Array) -> dict[str, float]:
    """Milliseconds of a prediction and of each method, medians of calls in turns."""
    target = int(predict(image[None])[0].argmax())
    rivals: dict[str, Callable[[], Any]] = {"prediction": partial(predict, image[None])}
    rivals |= {name: partial(each.attribute, image, target) for name, each in explainers.items()}
    taken = interleaved(rivals, rounds=5, in_a_row=2)
    return {name: round(1000 * statistics.median(seconds), 2) for name, seconds in taken.items()}


def _of_file(session: Any) -> Callable[[Array, int], Array]:
    def attribute(image: Array, target: int) -> Array:
        feeds = {"image": image[None], "target": np.array([target])}
        found: Array = session.run(["logits", "attribution"], feeds)[1][0]
        return found

    return attribute


def _of_module(attribute: Attribute) -> Callable[[Array, int], Array]:
    def explain(image: Array, target: int) -> Array:
        found: Array = attribute(torch.from_numpy(image)[None], torch.tensor([target])).numpy()[0]
        return found

    return explain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("photos", type=Path, help="a folder of benchmarks.cutouts")
    add_networks_option(parser, NETWORKS)
    parser.add_argument("--only", choices=("metrics", "times"), help="measure the rest another time")
    parser.add_argument("--threads", type=int, default=2, help="of each runtime")
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("standing", arguments)
    if not arguments.report:
        torch.set_num_threads(arguments.threads)
        kept = record.read() if record.figures.exists() else {"values": {}, "times": {}}
        result = {
            **conditions(arguments.threads, PACKAGES),
            **{key: kept[key] for key in ("values", "times")},
        }
        for name in arguments.networks:
            subject = judged(name, arguments.photos, arguments.threads)
            explainers, predict = subject.explainers()
            if arguments.only != "metrics":
                result["times"][name] = timed(explainers, predict, subject.looks[0].image)
                record.write(result)
            values = result["values"].setdefault(name, {})
            for number, look in enumerate(subject.looks if arguments.only != "times" else ()):
                for method, explainer in explainers.items():
                    if look.name not in (own := values.setdefault(method, {})):
                        own[look.name] = measured(subject, explainer, predict, look, number % SELDOM == 0)
                print(f"  {name}: photo {number + 1} of {len(subject.looks)}", file=sys.stderr, flush=True)
                record.write(result)
    write_page(record.page, report(record.read()))


if __name__ == "__main__":
    main()
