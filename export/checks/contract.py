"""The contract: what whoever runs a file may rely on, checked on the file alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from smoothserve.handlers.card import Card, read_card
from smoothserve.handlers.errors import NoCardError

from ..errors import VerificationError
from .progress import Progress, silent
from .session import Array, load_session, outputs
from .tolerance import TOLERANCES, Tolerance

_IMAGES = 2


@dataclass(frozen=True)
class Contract:
    """A file that keeps its contract.

    Attributes:
        holds: what was found to hold, a line each; where it does not hold of all methods, with their names.
        card: of the file.
    """

    holds: tuple[str, ...]
    card: Card


def check_contract(path: str | Path, *, fast: bool = False, progress: Progress = silent) -> Contract:
    """Check in ONNX Runtime what consumers of an exported file rely on.

    Standard operators only; inputs and outputs with a free batch size; a card that fits; the predicted class
    explained, or the target where one is given; the same answer twice, and for an image alone as in a batch
    (unless the method draws fresh noise); heatmaps that depend on the image or on the class.

    Args:
        path: of the file.
        fast: a smoke check: operators, inputs, outputs, card, and one image's prediction.
        progress: called with what is being done.

    Returns:
        What was found to hold, and the card.

    Raises:
        VerificationError: naming what does not hold.
        CardError: the card is missing parts or contradicts itself.
        MissingDependencyError: ONNX Runtime is not installed.
    """
    session, card = _loaded(Path(path))
    holds = [_check_operators(path), _check_signature(session, card)]
    count = 1 if fast else _IMAGES
    images = np.random.default_rng(11).standard_normal((count, *card.image_shape)).astype(np.float32)
    progress("asking for predictions")
    found = _run(session, images, [-1] * count)
    together = _by_method(card, found)
    if fast:
        holds += [_check_prediction(each) for each in together.values()]
        return Contract(tuple(dict.fromkeys(holds)), card)
    progress("asking for another class")
    other = int((found["logits"][0].argmax() + 1) % card.classes)
    aimed = _by_method(card, _run(session, images, [other] + [-1] * (count - 1)))
    alone: dict[str, dict[str, Array]] = {}
    if any(map(repeatable, card.each.values())):
        progress("asking for an image alone")
        alone = _by_method(card, _run(session, images[-1:], [-1]))
    held_by: dict[str, list[str]] = {}  # line -> names of the methods of which it holds
    for method, own in card.each.items():
        try:
            answers = _Answers(together[method], aimed[method], alone.get(method, {}))
            for line in _check_answers(own, answers, other):
                held_by.setdefault(line, []).append(str(own.method["name"]))
        except VerificationError as error:
            if not card.also:
                raise
            raise VerificationError(f"{own.method['name']}: {error}") from error
    holds += [
        line if len(names) == len(card.each) else f"{line} ({', '.join(names)})"
        for line, names in held_by.items()
    ]
    return Contract(tuple(holds), card)


class _Answers(NamedTuple):
    """One method's outputs by name: of all images; with a target for the first; of the last alone."""

    together: dict[str, Array]
    aimed: dict[str, Array]
    alone: dict[str, Array]


def _by_method(card: Card, found: dict[str, Array]) -> dict[str, dict[str, Array]]:
    """For each method its outputs, called as if there were no other."""
    by_method = {}
    for method in card.each:
        attribution, heatmap = card.map_names(method)
        shared = {name: found[name] for name in ("logits", "explained_class")}
        by_method[method] = {**shared, "attribution": found[attribution], "heatmap": found[heatmap]}
    return by_method


def _check_answers(card: Card, answers: _Answers, other: int) -> list[str]:
    """What holds of one method; ``other`` is the target of the first image in ``answers.aimed``."""
    together, aimed, alone = answers
    holds = [_check_prediction(together)]
    if repeatable(card):
        holds.append(_check_determinism(together, aimed))
        holds.append(_check_independence(together, alone, TOLERANCES[card.dtype]))
    return holds + _check_differences(card, together, aimed, other)


def repeatable(card: Card) -> bool:
    """Whether the method draws no fresh noise."""
    return card.method.get("seed", 0) is not None


def _loaded(path: Path) -> tuple[Any, Card]:
    if not path.is_file():
        raise VerificationError(f"{path} does not exist.")
    session = load_session(path)
    try:
        return session, read_card(session.get_modelmeta().custom_metadata_map, path)
    except NoCardError as error:
        raise VerificationError(str(error)) from error


def _check_operators(path: str | Path) -> str:
    proto = onnx.load(str(path), load_external_data=False)
    foreign = Counter(f"{n.domain}::{n.op_type}" for n in proto.graph.node if n.domain not in ("", "ai.onnx"))
    if foreign or proto.functions:
        names = [*foreign, *(f"function {f.name}" for f in proto.functions)]
        raise VerificationError(f"{path} uses operators outside of the ONNX standard: {', '.join(names)}.")
    return "standard ONNX operators only"


def _check_signature(session: Any, card: Card) -> str:
    channels, height, width = card.image_shape
    image = ["batch", channels, height, width]
    each = ["batch"] if card.top_k == 1 else ["batch", card.top_k]
    expected = {
        "image": ("tensor(float)", image),
        "target": ("tensor(int64)", ["batch"]),
        "logits": ("tensor(float)", ["batch", card.classes]),
        "explained_class": ("tensor(int64)", each),
    }
    for attribution, heatmap in map(card.map_names, card.each):
        expected[attribution] = "tensor(float)", [*each, channels, height, width]
        expected[heatmap] = "tensor(float)", [*each, height, width]
    found = {v.name: (v.type, v.shape) for v in [*session.get_inputs(), *session.get_outputs()]}
    for name, wanted in expected.items():
        if found.get(name) != wanted:
            raise VerificationError(f"{name} is {found.get(name)}, expected {wanted}.")
    inputs, outputs = list(expected)[:2], list(expected)[2:]
    return f"inputs {', '.join(inputs)}; outputs {', '.join(outputs)}; dynamic batch"


def _check_prediction(together: dict[str, Array]) -> str:
    if not np.isfinite(together["attribution"]).all():
        raise VerificationError("attribution holds NaN or infinity.")
    if (_explained(together) != together["logits"].argmax(1)).any():
        raise VerificationError("explained_class is not the predicted class where the target is -1.")
    return "a negative target explains the predicted class"


def _check_determinism(together: dict[str, Array], aimed: dict[str, Array]) -> str:
    """The second run differs in the first image's target alone; no other image may notice."""
    for name, value in together.items():
        if not np.array_equal(value[1:], aimed[name][1:]):
            raise VerificationError(
                f"{name} of an image differs between two runs on the same images, of which the second gives "
                "another image a target."
            )
    return "the same images give the same answer, bit for bit"


def _check_independence(together: dict[str, Array], alone: dict[str, Array], tolerance: Tolerance) -> str:
    """The last image: whatever mixes a batch hands it something of those before it."""
    for name, limit in (("logits", tolerance.logits), ("attribution", tolerance.worst)):
        whole = together[name][-1]
        error = float(np.linalg.norm(alone[name][0] - whole)) / max(float(np.linalg.norm(whole)), 1e-30)
        if not error <= limit:
            raise VerificationError(
                f"{name} of the last image in a batch of {len(together[name])} differs by {error:.1e} "
                f"from the same image alone (relative L2), tolerance {limit:.0e}."
            )
    return "an image's answer does not depend on its batch"


def _check_differences(
    card: Card, together: dict[str, Array], aimed: dict[str, Array], other: int
) -> list[str]:
    """Heatmaps differ between images, or at least between classes; attributions between classes."""
    constant = np.array_equal(together["heatmap"][0], together["heatmap"][1])
    holds = [] if constant else ["different images give different heatmaps"]
    if card.classes == 1:
        return holds
    first = int(_explained(aimed)[0])
    own, others = together["attribution"][0], aimed["attribution"][0]
    opposite = card.classes == 2 and _opposite(own, others)
    if first != other or (np.array_equal(own, others) and not opposite):
        raise VerificationError(f"target {other} was given, but class {first} explained.")
    holds.append("a given target is explained")
    if not constant:
        return holds
    if np.array_equal(aimed["heatmap"][0], together["heatmap"][0]) and not opposite:
        raise VerificationError("heatmap is the same for two different images, and for two classes.")
    return [*holds, "heatmaps depend on the class alone, as the gradients of a linear classifier do"]


def _opposite(one: Array, other: Array) -> bool:
    """Whether one is the other with its sign turned, or both are squares of such.

    So are those of two classes whose scores add up to a constant, as under 'contrast'.
    """
    return np.array_equal(other, -one) or (np.array_equal(other, one) and bool((one >= 0).all()))


def _explained(found: dict[str, Array]) -> Array:
    """The first explained class of each image."""
    first: Array = found["explained_class"].reshape(len(found["logits"]), -1)[:, 0]
    return first


def _run(session: Any, images: Array, target: list[int]) -> dict[str, Array]:
    return outputs(session, images, np.array(target, dtype=np.int64))
