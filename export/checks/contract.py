"""What every consumer of a file may rely on, checked on the file alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from smoothserve.handlers.card import Card, read_card
from smoothserve.handlers.errors import NoCardError

from ..errors import VerificationError
from .parity import TOLERANCES, Tolerance, check_operators, load_session

Array = npt.NDArray[Any]


def check_file(path: str | Path) -> tuple[list[str], Card]:
    """Check the contract of an exported file in ONNX Runtime.

    Returns:
        What was found to hold, a line each, and the card.

    Raises:
        VerificationError: naming what does not hold.
        CardError: the card is missing parts or contradicts itself.
    """
    if not Path(path).is_file():
        raise VerificationError(f"{path} does not exist.")
    session = load_session(path)
    try:
        card = read_card(session.get_modelmeta().custom_metadata_map, path)
    except NoCardError as error:
        raise VerificationError(str(error)) from error
    check_operators(path)
    checks = ["standard ONNX operators only", _check_signature(session, card)]
    generator = np.random.default_rng(11)
    images = generator.standard_normal((3, *card.image_shape)).astype(np.float32)
    together = _run(session, images, [-1, -1, -1])
    if not np.isfinite(together["attribution"]).all():
        raise VerificationError("attribution holds NaN or infinity.")
    predicted = together["logits"].argmax(1)
    if (together["explained_class"].reshape(3, -1)[:, 0] != predicted).any():
        raise VerificationError("explained_class is not the predicted class where the target is -1.")
    checks.append("a negative target explains the predicted class")
    if card.method.get("seed", 0) is not None:
        checks += _check_determinism(session, images, together, TOLERANCES[card.dtype])
    constant = np.array_equal(together["heatmap"][0], together["heatmap"][1])
    if not constant:
        checks.append("different images give different heatmaps")
    if card.classes == 1:
        return checks, card
    other = int((predicted[0] + 1) % card.classes)
    aimed = _run(session, images[:1], [other])
    first = aimed["explained_class"].reshape(-1)[0]
    if first != other or np.array_equal(aimed["attribution"][0], together["attribution"][0]):
        raise VerificationError(f"target {other} was given, but class {first} explained.")
    checks.append("a given target is explained")
    if constant and np.array_equal(aimed["heatmap"][0], together["heatmap"][0]):
        raise VerificationError("heatmap is the same for two different images, and for two classes.")
    if constant:
        checks.append("heatmaps depend on the class alone, as the gradients of a linear classifier do")
    return checks, card


def _check_signature(session: Any, card: Card) -> str:
    channels, height, width = card.image_shape
    image = ["batch", channels, height, width]
    each = ["batch"] if card.top_k == 1 else ["batch", card.top_k]
    expected = {
        "image": ("tensor(float)", image),
        "target": ("tensor(int64)", ["batch"]),
        "logits": ("tensor(float)", ["batch", card.classes]),
        "explained_class": ("tensor(int64)", each),
        "attribution": ("tensor(float)", [*each, channels, height, width]),
        "heatmap": ("tensor(float)", [*each, height, width]),
    }
    found = {v.name: (v.type, v.shape) for v in [*session.get_inputs(), *session.get_outputs()]}
    for name, wanted in expected.items():
        if found.get(name) != wanted:
            raise VerificationError(f"{name} is {found.get(name)}, expected {wanted}.")
    return "inputs image, target; outputs logits, explained_class, attribution, heatmap; dynamic batch"


def _check_determinism(
    session: Any, images: Array, together: dict[str, Array], tolerance: Tolerance
) -> list[str]:
    again = _run(session, images, [-1, -1, -1])
    for name, value in together.items():
        if not np.array_equal(value, again[name]):
            raise VerificationError(f"{name} differs between two runs on the same images.")
    for index in range(len(images)):
        alone = _run(session, images[index : index + 1], [-1])
        for name, limit in (("logits", tolerance.logits), ("attribution", tolerance.worst)):
            whole = together[name][index]
            error = float(np.linalg.norm(alone[name][0] - whole)) / max(float(np.linalg.norm(whole)), 1e-30)
            if not error <= limit:
                raise VerificationError(
                    f"{name} of image {index} in a batch of {len(images)} differs by {error:.1e} from the same image alone "
                    f"(relative L2), tolerance {limit:.0e}."
                )
    return [
        "the same images give the same answer, bit for bit",
        "an image's answer does not depend on its batch",
    ]


def _run(session: Any, images: Array, target: list[int]) -> dict[str, Array]:
    names = [output.name for output in session.get_outputs()]
    feeds = {"image": images, "target": np.array(target, dtype=np.int64)}
    return dict(zip(names, session.run(names, feeds), strict=True))
