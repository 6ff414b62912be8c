"""The open inference protocol's gRPC call, with messages described by hand: it needs no server's package."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "inference"
_KIND = descriptor_pb2.FieldDescriptorProto
_CONTENTS = {"BYTES": "bytes_contents", "FP32": "fp32_contents", "INT64": "int64_contents"}
_TYPES = {"FP32": "<f4", "INT64": "<i8"}
_MESSAGES: dict[str, list[tuple[str, int, Any, bool]]] = {  # name, number, type, repeated
    "InferParameter": [
        ("bool_param", 1, _KIND.TYPE_BOOL, False),
        ("int64_param", 2, _KIND.TYPE_INT64, False),
        ("string_param", 3, _KIND.TYPE_STRING, False),
    ],
    "InferTensorContents": [
        ("int64_contents", 3, _KIND.TYPE_INT64, True),
        ("fp32_contents", 6, _KIND.TYPE_FLOAT, True),
        ("bytes_contents", 8, _KIND.TYPE_BYTES, True),
    ],
    "Parameter": [("key", 1, _KIND.TYPE_STRING, False), ("value", 2, "InferParameter", False)],
    "Tensor": [
        ("name", 1, _KIND.TYPE_STRING, False),
        ("datatype", 2, _KIND.TYPE_STRING, False),
        ("shape", 3, _KIND.TYPE_INT64, True),
        ("contents", 5, "InferTensorContents", False),
    ],
    "RequestedOutput": [("name", 1, _KIND.TYPE_STRING, False)],
    "ModelInferRequest": [
        ("model_name", 1, _KIND.TYPE_STRING, False),
        ("id", 3, _KIND.TYPE_STRING, False),
        ("parameters", 4, "Parameter", True),  # a map's entries are such messages
        ("inputs", 5, "Tensor", True),
        ("outputs", 6, "RequestedOutput", True),
        ("raw_input_contents", 7, _KIND.TYPE_BYTES, True),
    ],
    "ModelInferResponse": [
        ("model_name", 1, _KIND.TYPE_STRING, False),
        ("id", 3, _KIND.TYPE_STRING, False),
        ("outputs", 5, "Tensor", True),
        ("raw_output_contents", 6, _KIND.TYPE_BYTES, True),
    ],
}


@dataclass(frozen=True)
class Tensor:
    """An input."""

    name: str
    datatype: str
    shape: Sequence[int]
    data: Sequence[Any]

    def raw(self) -> bytes:
        """As a client sends it that has it in memory."""
        if self.datatype == "BYTES":
            return b"".join(struct.pack("<I", len(value)) + value for value in self.data)
        return np.array(self.data, _TYPES[self.datatype]).tobytes()


def _classes() -> dict[str, Any]:
    """In a pool of their own: other packages' definitions may be in the common one."""
    file = descriptor_pb2.FileDescriptorProto(name="open.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            label = _KIND.LABEL_REPEATED if repeated else _KIND.LABEL_OPTIONAL
            if isinstance(kind, str):
                kinds = {"type": _KIND.TYPE_MESSAGE, "type_name": f".{_PACKAGE}.{kind}"}
            else:
                kinds = {"type": kind}
            if name == "InferParameter":  # one of its fields is there, be it 0 or empty
                kinds["oneof_index"] = 0
            message.field.add(name=field, number=number, label=label, **kinds)
        if name == "InferParameter":
            message.oneof_decl.add(name="parameter_choice")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)  # type: ignore[no-untyped-call]  # protobuf's, of C++, has no annotations
    found = {name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in _MESSAGES}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


_CLASSES = _classes()


def infer(
    port: int,
    model: str,
    tensors: Sequence[Tensor],
    parameters: dict[str, Any],
    raw: bool = True,
    outputs: Sequence[str] = (),
) -> dict[str, Any]:
    """The answer, as it is in JSON; files in it are base64.

    Raises:
        grpc.RpcError: the server refuses.
    """
    request = _CLASSES["ModelInferRequest"](model_name=model)
    for name, value in parameters.items():
        kind = {bool: "bool_param", int: "int64_param", str: "string_param"}[type(value)]
        setattr(request.parameters.add(key=name).value, kind, value)
    for output in outputs:
        request.outputs.add(name=output)
    for tensor in tensors:
        given = request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        if raw:
            request.raw_input_contents.append(tensor.raw())
        else:
            getattr(given.contents, _CONTENTS[tensor.datatype]).extend(tensor.data)
    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.max_receive_message_length", -1)]) as channel:
        call = channel.unary_unary(
            f"/{_PACKAGE}.GRPCInferenceService/ModelInfer",
            request_serializer=request.SerializeToString,
            response_deserializer=_CLASSES["ModelInferResponse"].FromString,
        )
        return _as_json(call(request, timeout=60))


def _as_json(response: Any) -> dict[str, Any]:
    contents = response.raw_output_contents or [None] * len(response.outputs)
    outputs = [
        {
            "name": output.name,
            "datatype": output.datatype,
            "shape": list(output.shape),
            "data": _data(output, content),
        }
        for output, content in zip(response.outputs, contents, strict=True)
    ]
    return {"model_name": response.model_name, "outputs": outputs}


def _data(output: Any, raw: bytes | None) -> list[Any]:
    if raw is None:
        values = list(getattr(output.contents, _CONTENTS[output.datatype]))
    elif output.datatype == "BYTES":
        values = list(_unpacked(raw))
    else:
        values = np.frombuffer(raw, _TYPES[output.datatype]).tolist()
    if output.datatype != "BYTES":
        return values
    return [v.decode() if output.name == "label" else base64.b64encode(v).decode() for v in values]


def _unpacked(raw: bytes) -> Any:
    while raw:
        (size,) = struct.unpack_from("<I", raw)
        yield raw[4 : 4 + size]
        raw = raw[4 + size :]
