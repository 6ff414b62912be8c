"""ExplanationModel -> .onnx: convert, check parity, attach the card, check the contract, put it in place."""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx
from smoothserve.explainers import ExplanationModel, Method
from smoothserve.handlers.card import METADATA_KEY, Also, Card, Preprocessing

from .checks.contract import check_contract
from .checks.parity import Parity, check_parity
from .checks.progress import Progress, silent
from .checks.tolerance import TOLERANCES
from .conversion import convert
from .errors import ConversionError
from .half import products_in_float16

log = logging.getLogger(__name__)
RUNS_ON = ("cpu", "gpu")
_LARGEST = 2**31 - 2**24  # bytes of weights in one file, below the limit of Protocol Buffers


def to_onnx(
    model: ExplanationModel,
    path: str | Path,
    *,
    preprocessing: Preprocessing | None = None,
    labels: Sequence[str] | None = None,
    name: str | None = None,
    dtype: str = "float32",
    runs_on: str = "cpu",
    fast: bool = False,
    progress: Progress = silent,
) -> Parity:
    """Write an explanation model as one self-describing, verified .onnx file.

    Inputs: ``image`` float32 ``[batch, C, H, W]``, ``target`` int64 ``[batch]`` (negative: the
    predicted class). Outputs: ``logits`` ``[batch, K]``, ``explained_class`` int64 ``[batch]``,
    ``attribution`` ``[batch, C, H, W]``, ``heatmap`` float32 ``[batch, H, W]`` in [0, 1]; of each further
    method ``attribution_METHOD`` and ``heatmap_METHOD``. The batch is dynamic; only standard operators of
    opset 18 are used.

    Args:
        model: from :func:`smoothserve.explainers.explain`.
        path: of the file, ``NAME.onnx``; it is replaced only by a file that passed both checks. Weights of
            more than 2 GB are in a second file beside it, ``path.*.data``, which must travel with it.
        preprocessing: how a photo becomes the input; by default ImageNet's mean and standard
            deviation with the usual resize and centre crop.
        labels: K class names.
        name: of the classifier, by default its class name.
        dtype: ``float32``, or ``float16`` for graphics processors: convolutions and matrix products compute
            in it, and their weights take half the space; inputs and outputs stay as they are. Not tested on
            one.
        runs_on: ``cpu``, or ``gpu`` for a graph without the spellings that only processors are faster with;
            some of them ONNX Runtime's CUDA provider leaves to the processor. float16 is for GPUs anyhow.
        fast: a smoke check in the place of the two checks: one image, no determinism, no float64. The card
            says so.
        progress: called with what is being done, from conversion to the last check.

    Returns:
        What was measured. The same figures are in the card.

    Raises:
        ConversionError: an operation has no ONNX form, ``model`` is none that explains itself, ``path`` does
            not end in .onnx, or ``dtype`` or ``runs_on`` is neither of both.
        VerificationError: the file computes something else (names output, error and tolerance), or does not
            keep the contract that :func:`check_contract` states.
        MissingDependencyError: ONNX Runtime is not installed.
        CardError: preprocessing or labels don't fit the model.
    """
    if not isinstance(model, ExplanationModel):
        raise ConversionError(
            f"model is a {type(model).__name__}, expected an explanation model. Make one first: "
            "to_onnx(explain(classifier, images, SmoothDiff(samples=8)), path)."
        )
    path = Path(path)
    if problem := problem_of_name(path):
        raise ConversionError(problem)
    if dtype not in TOLERANCES:
        raise ConversionError(f"dtype={dtype!r}, expected one of {', '.join(TOLERANCES)}.")
    if runs_on not in RUNS_ON:
        raise ConversionError(f"runs_on={runs_on!r}, expected one of {', '.join(RUNS_ON)}.")
    card = card_of(model, preprocessing, labels, name, dtype)
    progress("converting to ONNX")
    proto = _converted(model, dtype, runs_on)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        weights = _save(proto, draft)
        del proto  # so that memory holds the weights fewer times while the file runs
        parity = _verified(draft, model, card, fast, progress)
        _put_in_place(draft, weights, path)
    return parity


def card_of(
    model: ExplanationModel,
    preprocessing: Preprocessing | None = None,
    labels: Sequence[str] | None = None,
    name: str | None = None,
    dtype: str = "float32",
) -> Card:
    """What a file of this model says about itself, but for what is measured; arguments as of :func:`to_onnx`.

    Raises:
        CardError: preprocessing or labels don't fit the model.
    """
    channels, height, width = model.image_shape
    methods = tuple(
        Also(_described(method, calibration), method.signed) for method, calibration in model.calibrated
    )
    return Card(
        name=name or model.classifier_name,
        image_shape=(channels, height, width),
        classes=model.classes,
        method=methods[0].method,
        signed=methods[0].signed,
        objective=model.objective.describe(),
        top_k=model.top_k,
        outputs=model.scores.kind,
        dtype=dtype,
        preprocessing=preprocessing or default_preprocessing(model.image_shape),
        labels=None if labels is None else tuple(labels),
        also=methods[1:],
        versions={package: version(package) for package in ("smoothserve", "torch", "onnx", "onnxscript")},
    )


def problem_of_name(path: Path) -> str | None:
    """Why a file of ours is not to be written to ``path``, or None."""
    if path.suffix.lower() == ".onnx" and not path.is_dir():
        return None
    return f"{path} would be an ONNX file; give it a name that ends in .onnx: {path}.onnx."


def _converted(model: ExplanationModel, dtype: str, runs_on: str) -> onnx.ModelProto:
    start = time.perf_counter()
    proto = convert(model, for_processors=dtype == "float32" and runs_on == "cpu")
    if dtype == "float16":
        products_in_float16(proto)
    log.info("converted to ONNX in %.1f s", time.perf_counter() - start)
    return proto


def _verified(draft: Path, model: ExplanationModel, card: Card, fast: bool, progress: Progress) -> Parity:
    """What was measured; the card with these figures is attached to ``draft``, and its contract holds."""
    start = time.perf_counter()
    parity = check_parity(draft, model, card.dtype, fast=fast, progress=progress)
    figures = {**parity.figures(), **({"fast": True} if fast else {})}
    _attach(draft, replace(card, verification=figures))
    check_contract(draft, fast=fast, progress=progress)
    log.info("verified in ONNX Runtime in %.1f s", time.perf_counter() - start)
    return parity


def _described(method: Method, calibration: Any) -> dict[str, Any]:
    """Name and parameters, and on what it was calibrated, if it was."""
    described = method.describe()
    if not calibration.stored:
        return described
    return {**described, "calibration": calibration.describe()}


def _put_in_place(draft: Path, weights: Path | None, path: Path) -> None:
    """Rename the draft and its weights; what lay beside an older file of this name goes."""
    if weights is not None:
        weights.replace(path.parent / weights.name)
    draft.replace(path)
    ours = re.compile(re.escape(path.name) + r"\.[0-9a-f]{12}\.data")
    for old in path.parent.iterdir():
        if ours.fullmatch(old.name) and (weights is None or old.name != weights.name):
            old.unlink()


def _save(proto: onnx.ModelProto, path: Path) -> Path | None:
    """Write one file; if it would be larger than Protocol Buffers allow, a second one of weights beside it.

    The second one's name holds a digest of its content, so that a pair is never made of two exports.
    """
    if sum(len(tensor.raw_data) for tensor in proto.graph.initializer) <= _LARGEST:
        onnx.save(proto, path)
        return None
    digest = hashlib.sha256()
    for tensor in proto.graph.initializer:
        digest.update(tensor.raw_data)
    name = f"{path.name}.{digest.hexdigest()[:12]}.data"
    onnx.save(proto, path, save_as_external_data=True, location=name)
    return path.with_name(name)


def default_preprocessing(image_shape: tuple[int, ...]) -> Preprocessing:
    """ImageNet's habits: crop 7/8 of the shorter side, bilinear, its mean and deviation.

    One-channel models get grey values scaled to [-1, 1]; images of other than one or three channels are
    planes, taken as they come.
    """
    channels, height, width = image_shape
    resize = round(max(height, width) / 0.875)
    if channels == 1:
        return Preprocessing(resize, (height, width), mean=(0.5,), std=(0.5,), channels="L")
    if channels != 3:
        return Preprocessing.of_planes(channels, (height, width))
    return Preprocessing(resize, (height, width))


def _attach(path: Path, card: Card) -> None:
    """Put the card into the file's metadata.

    Protocol buffers merge concatenated messages, so the card is appended: large weights are not
    written again, and what was verified stays as it is.
    """
    metadata = onnx.ModelProto()
    onnx.helper.set_model_props(metadata, {METADATA_KEY: card.to_json()})
    with path.open("ab") as file:
        file.write(metadata.SerializeToString())
