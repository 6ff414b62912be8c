"""Asked once, when a worker starts: does this host compute what the archive was packed with?"""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from .answer import Result
from .card import Preprocessing
from .errors import CardError
from .images.photo import to_input
from .protocols.question import Question
from .service import ExplanationService

log = logging.getLogger(__name__)
FILE = "selfcheck.npz"
PROBABILITIES = 1e-3  # largest difference; other processors round differently
HEATMAP = 0.1  # relative L2: kinks of float32 gradients differ between processors by up to 5e-2


def parity_image(preprocessing: Preprocessing) -> npt.NDArray[np.float32]:
    """A picture with structure at every scale, always the same, as the network's input ``[C, H, W]``."""
    height, width = preprocessing.crop
    if preprocessing.channels == "planes":
        shape = (len(preprocessing.mean), height, width)
        return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = [
        np.sin(x / (3 + 5 * c) + c) * np.cos(y / (4 + 7 * c)) + np.sin((x * y) / (97 + 31 * c))
        for c in range(3)
    ]
    noise = np.random.default_rng(0).normal(0, 0.3, (height, width, 3))
    pixels = (127 + 50 * (np.stack(waves, -1) + noise)).clip(0, 255).round().astype(np.uint8)
    return to_input(Image.fromarray(pixels), preprocessing)


def record(service: ExplanationService) -> dict[str, npt.NDArray[Any]]:
    """The answers to be stored in the archive: probabilities, and a heatmap for each method."""
    answers: dict[str, npt.NDArray[Any]] = {}
    for method, result in _ask(service).items():
        answers[f"probabilities/{method}"] = result.scores
        if result.heatmaps:
            answers[f"heatmap/{method}"] = np.stack(list(result.heatmaps.values())).astype(np.float16)
    return answers


def checksums(folder: Path) -> dict[str, npt.NDArray[np.uint8]]:
    """SHA-256 of the graphs (with their cards) and the weights in an archive's folder."""
    files = [*sorted(folder.glob("*.onnx")), *sorted(folder.glob("*.bin"))]
    return {
        f"sha256/{file.name}": np.frombuffer(hashlib.sha256(file.read_bytes()).digest(), np.uint8)
        for file in files
    }


def check(service: ExplanationService, path: Path) -> None:
    """Compare this host's answers, and the files beside ``path``, with what is stored there.

    Raises:
        CardError: they differ, or there is nothing to compare with; says by how much.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = dict(file)
    except (OSError, ValueError) as error:
        raise CardError(f"{path.name} cannot be read: {error}. Pack the archive again.") from error
    for name, digest in checksums(path.parent).items():
        if not np.array_equal(stored.get(name, digest[:0]), digest):
            file = name.partition("/")[2]
            raise CardError(
                f"{file} is not the file that the archive was packed with. The worker refuses to serve."
            )
    for name, value in record(service).items():
        wanted = stored.get(name)
        if wanted is None or wanted.shape != value.shape:
            raise CardError(
                f"{path.name} holds no answer {name} of shape {value.shape}. Pack the archive again."
            )
        difference = value.astype(np.float64) - wanted
        if name.startswith("heatmap"):
            scale = max(float(np.linalg.norm(wanted.astype(np.float64))), 1e-12)
            distance, limit = float(np.linalg.norm(difference)) / scale, HEATMAP
        else:
            scale = max(float(np.abs(wanted).max()), 1.0)  # values may be larger than probabilities
            distance, limit = float(np.abs(difference).max()) / scale, PROBABILITIES
        if not distance <= limit:
            raise CardError(
                f"{name} of the parity image differs by {distance:.1e} from the archive's own answer "
                f"(tolerance {limit:.0e}): this host's ONNX Runtime computes something else, or a file is "
                "damaged. The worker refuses to serve."
            )


def warm_up(service: ExplanationService) -> None:
    """Run every graph once on as many images as it will ever see at once.

    Afterwards no request is the first, and the memory that the worker holds grows no more: ONNX Runtime's
    arena keeps what its largest run needed. Stops after the limit ``seconds``, because TorchServe gives up
    workers that start slowly.
    """
    end = time.monotonic() + service.offer.limits.seconds
    for name, question in _questions(service).items():
        if time.monotonic() > end:
            log.warning("no time to warm %s up", name)
            continue
        results = service.run([question] * service.offer.limits.batch)
        if failures := [result for result in results if not isinstance(result, Result)]:
            log.warning("a batch of %d %s failed: %s", len(results), name, failures[0])


def _questions(service: ExplanationService) -> dict[str, Question]:
    """One about the parity image for every graph."""
    image = parity_image(service.offer.card.preprocessing)
    explanations = {method: Question(image, explain=True, method=method) for method in service.methods}
    return {"prediction": Question(image), **explanations}


def _ask(service: ExplanationService) -> dict[str, Result]:
    questions = _questions(service)
    answers: dict[str, Result] = {}
    for name, result in zip(questions, service.run(list(questions.values())), strict=True):
        if not isinstance(result, Result):
            raise CardError(f"The self-check failed: {result}") from result
        answers[name] = result
    return answers
