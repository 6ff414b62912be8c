"""TorchServe's gRPC prediction call, with messages described by hand (its wheel holds no stubs)."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tests.server.torchserve import TorchServe

_PACKAGE = "org.pytorch.serve.grpc.inference"


def _messages() -> tuple[Any, Any]:
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="inference.proto", package=_PACKAGE, syntax="proto3")
    request = file.message_type.add(name="PredictionsRequest")
    request.field.add(name="model_name", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    entry = request.nested_type.add(name="InputEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=kind.TYPE_BYTES, label=kind.LABEL_OPTIONAL)
    request.field.add(
        name="input",
        number=3,
        type=kind.TYPE_MESSAGE,
        label=kind.LABEL_REPEATED,
        type_name=f".{_PACKAGE}.PredictionsRequest.InputEntry",
    )
    response = file.message_type.add(name="PredictionResponse")
    response.field.add(name="prediction", number=1, type=kind.TYPE_BYTES, label=kind.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)  # type: ignore[no-untyped-call]  # protobuf's, of C++, has no annotations
    names = (f"{_PACKAGE}.PredictionsRequest", f"{_PACKAGE}.PredictionResponse")
    classes = [message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names]
    return classes[0], classes[1]


def predict(server: TorchServe, model: str, fields: dict[str, bytes]) -> bytes:
    """The body of the answer."""
    request, response = _messages()
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc}") as channel:
        call = channel.unary_unary(
            f"/{_PACKAGE}.InferenceAPIsService/Predictions",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return bytes(call(request(model_name=model, input=fields), timeout=60).prediction)
