"""KServe v2, the open inference protocol: tensors in, tensors out; in JSON, files are base64 in ``BYTES``."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..answer import Answer, Result, json_answer
from ..errors import RequestError
from .base import Protocol, Request
from .options import OPTIONS, Offer, read_parameters
from .question import check_count, photo_bytes, question_about
from .render import as_file, as_numbers


class KServeV2(Protocol):
    """``/v2/models/MODEL/infer`` and ``/explain``: one tensor of images, further ones named like options."""

    def recognises(self, fields: Mapping[str, Any]) -> bool:
        return "inputs" in fields

    def read(
        self, fields: Mapping[str, Any], headers: Mapping[str, str], explain: bool, offer: Offer, path: str
    ) -> Request:
        tensors = _by_name(fields["inputs"])
        images = _tensor_of_images(tensors)
        photos = _photos(images, offer)
        common = {**read_parameters(fields.get("parameters")), **read_parameters(images.get("parameters"))}
        questions = []
        for index, photo in enumerate(photos):
            options = {**common, **_own_options(tensors, index, len(photos))}
            questions.append(question_about(photo, options, headers, explain, offer, path))
        if len({(q.top_k, q.output, q.method, q.precision) for q in questions}) > 1:
            raise RequestError(
                "top_k, output, method and precision must be the same for all images of a KServe v2 request."
            )
        identity = fields.get("id")
        return Request(self, tuple(questions), {"id": identity} if isinstance(identity, str) else {})

    def write(self, request: Request, results: Sequence[Result], offer: Offer) -> Answer:
        if request.explain:
            rows = [[result.describe_class(index) for index in result.heatmaps] for result in results]
        else:
            rows = [result.top(request.questions[0].top_k) for result in results]
        shape, reports = [len(rows), len(rows[0])], offer.card.reports
        flat = [entry for row in rows for entry in row]
        outputs = [
            _tensor("class", "INT64", shape, [entry["class"] for entry in flat]),
            _tensor("label", "BYTES", shape, [entry["label"] for entry in flat]),
            _tensor(reports, "FP32", shape, [entry[reports] for entry in flat]),
        ]
        if request.explain:
            outputs.append(_heatmaps(request, results))
        return json_answer(200, {"model_name": offer.name, **request.echo, "outputs": outputs})

    def explanation_path(self, model: str, version: str | None, path: str) -> str:
        return f"/v2/models/{model}/explain"


def _by_name(tensors: Any) -> dict[str, Mapping[str, Any]]:
    if not isinstance(tensors, list) or not all(isinstance(t, Mapping) for t in tensors):
        raise RequestError('"inputs" must be a list of tensors with name, shape, datatype and data.')
    named = {str(tensor.get("name")): tensor for tensor in tensors}
    if len(named) < len(tensors):
        raise RequestError("Two tensors have the same name.")
    return named


def _tensor_of_images(tensors: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The one that is not named like an option."""
    found = [tensor for name, tensor in tensors.items() if name not in OPTIONS]
    if len(found) != 1:
        raise RequestError(
            f"Expected one tensor of images, found {len(found)}; further ones may be named like options: "
            f"{', '.join(OPTIONS)}."
        )
    return found[0]


def _own_options(tensors: Mapping[str, Mapping[str, Any]], index: int, count: int) -> dict[str, Any]:
    """What tensors named like options say of image ``index``; each holds one value, or one for each image."""
    options = {}
    for name, tensor in tensors.items():
        if name in OPTIONS:
            values = tensor.get("data")
            if not isinstance(values, list) or len(values) not in (1, count):
                raise RequestError(f"The tensor {name!r} must hold one value, or one for each image.")
            options[name] = values[index % len(values)]
    return options


def _photos(tensor: Mapping[str, Any], offer: Offer) -> list[Any]:
    """The images: BYTES (base64, or files), or FP32 ``[n, C, H, W]`` preprocessed by the caller."""
    data, kind = tensor.get("data"), tensor.get("datatype")
    if not isinstance(data, list) or not data:
        raise RequestError(
            "The tensor of images holds no data (binary tensors after the JSON are not supported)."
        )
    if kind == "BYTES":
        return _encoded_photos(tensor, data, offer)
    if kind == "FP32":
        return _preprocessed_photos(tensor, data, offer)
    raise RequestError(f"datatype={str(kind)[:20]!r}, expected BYTES (base64 of image files) or FP32.")


def _encoded_photos(tensor: Mapping[str, Any], data: list[Any], offer: Offer) -> list[Any]:
    check_count(len(data), offer)
    _check_shape(tensor, [len(data)], [1, len(data)])  # some clients write BYTES as [1, n]
    photos = []
    for photo in data:
        if not isinstance(photo, (str, bytes)):  # bytes come over gRPC
            raise RequestError(f"A BYTES tensor holds {type(photo).__name__}, expected base64 of images.")
        photos.append(photo_bytes(photo, "data", offer.limits.body_bytes))
    return photos


def _preprocessed_photos(tensor: Mapping[str, Any], data: list[Any], offer: Offer) -> list[Any]:
    shape = offer.card.image_shape
    try:
        array = np.array(data, dtype=np.float32).reshape(-1, *shape)
    except (ValueError, TypeError, OverflowError):
        array = np.empty((0, *shape), dtype=np.float32)
    if not len(array):
        raise RequestError(f"The FP32 tensor is not [n, {', '.join(map(str, shape))}].")
    check_count(len(array), offer)
    _check_shape(tensor, list(array.shape))
    if not np.isfinite(array).all():
        raise RequestError("The FP32 tensor holds NaN or infinity.")
    return list(array)


def _check_shape(tensor: Mapping[str, Any], wanted: list[int], *others: list[int]) -> None:
    """The shape may be left out, else it is ``wanted`` or one of ``others``."""
    given = tensor.get("shape")
    if given is not None and given not in (wanted, *others):
        raise RequestError(
            f"The tensor of images has shape {str(given)[:60]}, but its data and the model need {wanted}."
        )


def _heatmaps(request: Request, results: Sequence[Result]) -> dict[str, Any]:
    """As numbers ``[n, classes explained, H, W]``, or as one file for each image."""
    output = request.questions[0].output
    if output == "json":
        heat = np.stack([np.stack(list(result.heatmaps.values())) for result in results])
        return _tensor("heatmap", "FP32", list(heat.shape), as_numbers(request.questions[0], heat))
    pairs = zip(request.questions, results, strict=True)
    files = [as_file(question, result)[1] for question, result in pairs]
    return _tensor(output, "BYTES", [len(files)], [base64.b64encode(file).decode() for file in files])


def _tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}
