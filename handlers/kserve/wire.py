"""KServe's messages and the fields that the protocols read: bodies in JSON, tensors over gRPC."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from kserve import InferOutput, InferRequest, InferResponse
from kserve.protocol.infer_type import to_http_parameters
from smoothserve.handlers.answer import Answer
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.protocols.options import TRUE, Offer, read_parameters

EXPLAINED = ("heatmap", "overlay", "array")  # tensors of an explanation; a prediction has none of them
_OF_TRANSPORT = ("binary_data", "binary_data_size")  # parameters that clients set by themselves
_TEXT = re.compile(rb"[\w+/=:;,.\s-]*")  # matches the head of base64 and of labels, and of no picture


def fields_of_json(body: bytes, member: str) -> dict[str, Any]:
    """The members of a JSON body.

    Raises:
        RequestError: it is no object with ``member``, which tells the protocol.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError(f'The body is no JSON, expected an object with "{member}".') from None
    if not isinstance(fields, dict) or member not in fields:
        raise RequestError(f'The body is no JSON object with "{member}".')
    if "instances" in fields and "inputs" in fields:
        raise RequestError('The body has "instances" as of KServe v1 and "inputs" as of v2; leave one out.')
    return fields


def fields_of_grpc(request: InferRequest) -> dict[str, Any]:
    """The same of a request over gRPC. Heatmaps are float32, which costs nothing there.

    Raises:
        RequestError: a tensor whose data do not fit its shape or type.
    """
    parameters = {"precision": "float32", **to_http_parameters(request.parameters or {})}
    fields = {"parameters": parameters, "inputs": [_tensor(given) for given in request.inputs]}
    if request.request_outputs:
        fields["outputs"] = [{"name": output.name} for output in request.request_outputs]
    return {**fields, "id": request.id} if request.id else fields


def _tensor(given: Any) -> dict[str, Any]:
    try:
        data = given.as_numpy().ravel().tolist()
    except Exception:  # of struct, NumPy and KServe
        raise RequestError(
            f"The data of tensor {given.name[:40]!r} do not fit its shape {given.shape} and datatype "
            f"{given.datatype[:20]!r}."
        ) from None
    if given.datatype == "BYTES":
        data = [_text_or_file(value) for value in data]
    return {
        "name": given.name,
        "shape": list(given.shape),
        "datatype": given.datatype,
        "data": data,
        "parameters": {k: v for k, v in (given.parameters or {}).items() if k not in _OF_TRANSPORT},
    }


def _text_or_file(value: bytes) -> str | bytes:
    """Over gRPC a photo comes as its file, or as base64 as over REST, which is text as labels are."""
    if not _TEXT.fullmatch(value[:64]):
        return value
    return value.decode(errors="replace")


def wanted(fields: dict[str, Any], offer: Offer) -> tuple[bool, list[str]]:
    """Whether a KServe v2 request wants an explanation, and which tensors; none: all that there are.

    The protocol knows inference alone. So an explanation is asked for by the parameter ``explain``, or by
    the name of one of its tensors among the ``outputs``. Both are taken out of the fields.

    Raises:
        RequestError: there is no such tensor.
    """
    outputs = fields.pop("outputs", None) or []
    if not isinstance(outputs, list) or not all(isinstance(output, Mapping) for output in outputs):
        raise RequestError('"outputs" must be a list of {"name": ...}.')
    known = ("class", "label", offer.card.reports, *EXPLAINED)
    names = [str(output.get("name")) for output in outputs]
    if unknown := [name for name in names if name not in known]:
        raise RequestError(f"There is no output {unknown[0][:40]!r}; there are: {', '.join(known)}.")
    asked = [name for name in EXPLAINED if name in names]
    parameters = read_parameters(fields.get("parameters"))
    explain = str(parameters.pop("explain", False)).lower() in TRUE
    if asked and asked[0] != "heatmap":
        parameters.setdefault("output", asked[0])
    fields["parameters"] = parameters
    return explain or bool(asked), names


def chosen(answer: Answer, names: list[str]) -> Answer:
    """The answer with those tensors alone, in their order.

    Raises:
        RequestError: it has no such tensor.
    """
    content = json.loads(answer.body)
    tensors = {tensor["name"]: tensor for tensor in content["outputs"]}
    if missing := [name for name in names if name not in tensors]:
        raise RequestError(
            f"This answer has no output {missing[0]!r}, but {', '.join(tensors)}; the parameter output says "
            "how a heatmap comes: json (heatmap), heatmap, overlay or array."
        )
    content["outputs"] = [tensors[name] for name in names]
    return Answer(answer.status, answer.content_type, json.dumps(content, ensure_ascii=False).encode())


def infer_response(answer: Answer, request: InferRequest) -> InferResponse:
    """A KServe v2 answer for gRPC, as raw as the request was; files come as such, not as base64."""
    content = json.loads(answer.body)
    outputs = [InferOutput(t["name"], t["shape"], t["datatype"], _data(t)) for t in content["outputs"]]
    return InferResponse(
        content.get("id", ""),
        content["model_name"],
        outputs,
        from_grpc=True,
        use_binary_outputs=request.use_binary_outputs,
    )


def _data(tensor: Mapping[str, Any]) -> list[Any]:
    if tensor["datatype"] != "BYTES":
        return list(tensor["data"])
    return [b64decode(v) if tensor["name"] in EXPLAINED else v.encode() for v in tensor["data"]]
