"""The protocols that a request may speak: TorchServe's own, KServe v1, and KServe v2 (open inference protocol)."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..answer import Answer, Result, json_answer
from ..errors import RequestError
from .options import OPTIONS, Offer
from .render import as_file, as_json, render
from .request import Request, photo_bytes, read_request, with_options


class Dialect(ABC):
    """How the answer to one call is written."""

    @abstractmethod
    def write(self, questions: Sequence[Request], results: Sequence[Result], offer: Offer) -> Answer:
        """One answer for all images of the call."""


@dataclass(frozen=True)
class Call:
    """One request over the wire: its questions, and how the answer is written."""

    questions: tuple[Request, ...]
    dialect: Dialect


class Plain(Dialect):
    """One image; the answer is JSON, a picture or an array."""

    def write(self, questions: Sequence[Request], results: Sequence[Result], offer: Offer) -> Answer:
        return render(questions[0], results[0])


class KServeV1(Dialect):
    """``{"instances": [...]}`` -> ``{"predictions": [...]}`` or ``{"explanations": [...]}``."""

    def write(self, questions: Sequence[Request], results: Sequence[Result], offer: Offer) -> Answer:
        key = "explanations" if questions[0].explain else "predictions"
        return json_answer(
            200, {key: [_instance(q, result) for q, result in zip(questions, results, strict=True)]}
        )


@dataclass(frozen=True)
class KServeV2(Dialect):
    """Tensors in, tensors out; binary ones as base64 in ``BYTES``."""

    id: str | None = None

    def write(self, questions: Sequence[Request], results: Sequence[Result], offer: Offer) -> Answer:
        first = questions[0]
        count = len(questions)
        if first.explain:
            classes = [[result.describe_class(index) for index in result.heatmaps] for result in results]
        else:
            classes = [result.top(first.top_k) for result in results]
        shape = [count, len(classes[0])]
        flat = [entry for row in classes for entry in row]
        outputs = [
            _tensor("class", "INT64", shape, [entry["class"] for entry in flat]),
            _tensor("label", "BYTES", shape, [entry["label"] for entry in flat]),
            _tensor("probability", "FP32", shape, [entry["probability"] for entry in flat]),
        ]
        if first.explain and first.output == "json":
            heat = np.stack([np.stack(list(result.heatmaps.values())) for result in results])
            values = [round(value, 4) for value in heat.astype(float).ravel().tolist()]
            outputs.append(_tensor("heatmap", "FP32", list(heat.shape), values))
        elif first.explain:
            files = [as_file(q, result)[1] for q, result in zip(questions, results, strict=True)]
            data = [base64.b64encode(file).decode() for file in files]
            outputs.append(_tensor(first.output, "BYTES", [count], data))
        identity = {} if self.id is None else {"id": self.id}
        return json_answer(200, {"model_name": offer.name, **identity, "outputs": outputs})


def read_call(
    fields: Mapping[str, Any], headers: Mapping[str, str], explain: bool, offer: Offer, path: str = ""
) -> Call:
    """Understand one request over the wire, whatever protocol it speaks.

    Args:
        fields: form fields as bytes or text; or ``{"body": ...}`` with a raw body (bytes) or a parsed
            JSON object, whose members count as fields.
        headers, explain, offer, path: see :func:`smoothserve.handlers.request.read_request`.

    Raises:
        RequestError: something is missing, unknown, too large or out of range.
    """
    given = dict(fields)
    if isinstance(given.get("body"), Mapping):
        body = given.pop("body")
        given.update(body)
    if "instances" in given:
        return _read_v1(given, headers, explain, offer, path)
    if "inputs" in given:
        return _read_v2(given, headers, explain, offer, path)
    return Call((read_request(given, headers, explain, offer, path),), Plain())


def _read_v1(
    given: Mapping[str, Any], headers: Mapping[str, str], explain: bool, offer: Offer, path: str
) -> Call:
    instances = given["instances"]
    common = _parameters(given.get("parameters"))
    common.update((name, value) for name, value in given.items() if name not in ("instances", "parameters"))
    if not isinstance(instances, list) or not instances:
        raise RequestError('"instances" must be a list of at least one {"data": "<base64>", ...}.')
    _check_count(len(instances), offer)
    questions = []
    for index, instance in enumerate(instances):
        fields = instance if isinstance(instance, Mapping) else {"data": instance}
        try:
            questions.append(read_request({**common, **fields}, headers, explain, offer, path))
        except RequestError as error:
            raise RequestError(f"Instance {index}: {error}", error.status) from None
    return Call(tuple(questions), KServeV1())


def _read_v2(
    given: Mapping[str, Any], headers: Mapping[str, str], explain: bool, offer: Offer, path: str
) -> Call:
    tensors = given["inputs"]
    if not isinstance(tensors, list) or not all(isinstance(t, Mapping) for t in tensors):
        raise RequestError('"inputs" must be a list of tensors with name, shape, datatype and data.')
    named = {str(tensor.get("name")): tensor for tensor in tensors}
    if len(named) < len(tensors):
        raise RequestError("Two tensors have the same name.")
    pictures = [tensor for name, tensor in named.items() if name not in OPTIONS]
    if len(pictures) != 1:
        raise RequestError(
            f"Expected one tensor of images, found {len(pictures)}; further ones may be named like options: {', '.join(OPTIONS)}."
        )
    photos = _photos(pictures[0], offer)
    common = {**_parameters(given.get("parameters")), **_parameters(pictures[0].get("parameters"))}
    questions = []
    for index, photo in enumerate(photos):
        options = dict(common)
        for name, tensor in named.items():
            if name in OPTIONS:
                values = tensor.get("data")
                if not isinstance(values, list) or len(values) not in (1, len(photos)):
                    raise RequestError(f"The tensor {name!r} must hold one value, or one for each image.")
                options[name] = values[index % len(values)]
        questions.append(with_options(photo, options, headers, explain, offer, path))
    if len({(q.top_k, q.output, q.method) for q in questions}) > 1:
        raise RequestError("top_k, output and method must be the same for all images of a KServe v2 request.")
    identity = given.get("id")
    return Call(tuple(questions), KServeV2(identity if isinstance(identity, str) else None))


def _parameters(given: Any) -> dict[str, Any]:
    if not isinstance(given or {}, Mapping):
        raise RequestError('"parameters" must be an object of options.')
    return dict(given or {})


def _photos(tensor: Mapping[str, Any], offer: Offer) -> list[Any]:
    """The images of a tensor: base64 in BYTES, or FP32 ``[n, C, H, W]`` preprocessed by the caller."""
    data, kind = tensor.get("data"), tensor.get("datatype")
    if not isinstance(data, list) or not data:
        raise RequestError(
            "The tensor of images holds no data (binary tensors after the JSON are not supported)."
        )
    if kind == "BYTES":
        _check_count(len(data), offer)
        _check_shape(tensor, [len(data)])
        photos = []
        for text in data:
            if not isinstance(text, str):
                raise RequestError(f"A BYTES tensor holds {type(text).__name__}, expected base64 of images.")
            photos.append(photo_bytes(text, "data", offer.limits.body_bytes))
        return photos
    if kind != "FP32":
        raise RequestError(f"datatype={str(kind)[:20]!r}, expected BYTES (base64 of image files) or FP32.")
    shape = offer.card.image_shape
    try:
        array = np.array(data, dtype=np.float32).reshape(-1, *shape)
    except (ValueError, TypeError, OverflowError):
        array = np.empty((0, *shape), dtype=np.float32)
    if not len(array):
        raise RequestError(f"The FP32 tensor is not [n, {', '.join(map(str, shape))}].")
    _check_count(len(array), offer)
    _check_shape(tensor, list(array.shape))
    if not np.isfinite(array).all():
        raise RequestError("The FP32 tensor holds NaN or infinity.")
    return list(array)


def _check_shape(tensor: Mapping[str, Any], wanted: list[int]) -> None:
    given = tensor.get("shape")
    allowed = (
        [None, wanted, [1, *wanted]] if len(wanted) == 1 else [None, wanted]
    )  # some write BYTES as [1, n]
    if given not in allowed:
        raise RequestError(
            f"The tensor of images has shape {str(given)[:60]}, but its data and the model need {wanted}."
        )


def _check_count(count: int, offer: Offer) -> None:
    if count > offer.limits.instances:
        raise RequestError(
            f"{count} images in one request, at most {offer.limits.instances} are allowed.", 413
        )


def _instance(question: Request, result: Result) -> dict[str, Any]:
    if not question.explain:
        return {**result.top(1)[0], "predictions": result.top(question.top_k)}
    if question.output == "json":
        return as_json(question, result)
    kind, body = as_file(question, result)
    index = next(iter(result.heatmaps))
    return {
        **result.describe_class(index),
        question.output: {"content_type": kind, "b64": base64.b64encode(body).decode()},
    }


def _tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}
