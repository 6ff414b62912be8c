"""config.pbtxt: what Triton must know of a model, as text of Protocol Buffers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from smoothserve.handlers.errors import CardError
from smoothserve.handlers.limits import Limits

_TYPES: Mapping[int, str] = {onnx.TensorProto.FLOAT: "TYPE_FP32", onnx.TensorProto.INT64: "TYPE_INT64"}
_KINDS = {"auto": "KIND_AUTO", "cpu": "KIND_CPU", "cuda": "KIND_GPU"}


@dataclass(frozen=True)
class TritonSettings:
    """How Triton runs the models of a repository.

    Attributes:
        batch_size: most images in one batch.
        max_batch_delay: milliseconds that a request waits for a batch to fill.
        instances: copies of each network.
        device: auto (a GPU where the server has one), cpu or cuda.
        threads: of each copy; None: as many as cores.
        limits: of requests, by the names of :class:`smoothserve.handlers.limits.Limits`.
        records: folder of the serving host, an absolute path, where models that run their network record
            each explanation; None: none do.

    Raises:
        CardError: there is no such limit or device, or the path is relative.
    """

    batch_size: int = 4
    max_batch_delay: int = 2
    instances: int = 1
    device: str = "auto"
    threads: int | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    records: str | None = None

    def __post_init__(self) -> None:
        if self.device not in _KINDS:
            raise CardError(f"device={self.device!r}, expected one of {', '.join(_KINDS)}.")
        if (batch := self.limits.get("batch", 1)) > self.batch_size:
            raise CardError(
                f"The limit batch is {batch}, expected at most the batch size, {self.batch_size}."
            )
        if self.records is not None and not Path(self.records).is_absolute():
            raise CardError(f"records={self.records!r}, expected an absolute path on the serving host.")
        Limits.from_settings(self.limits)


@dataclass(frozen=True)
class Tensor:
    """An input or output as Triton names it.

    Attributes:
        name: of it.
        type: Triton's.
        dims: without the batch.
        labels: whether labels.txt beside config.pbtxt names what it has one value of each.
    """

    name: str
    type: str
    dims: Sequence[int]
    labels: bool = False

    def __str__(self) -> str:
        # Triton knows no tensor of the batch's dimension alone.
        shape = _list(self.dims) if self.dims else "[ 1 ], reshape: { shape: [ ] }"
        labels = ', label_filename: "labels.txt"' if self.labels else ""
        return f'{{ name: "{self.name}", data_type: {self.type}, dims: {shape}{labels} }}'


def network_config(name: str, path: Path, labels: bool, settings: TritonSettings) -> str:
    """Of the exported file, for Triton's ONNX backend."""
    graph = onnx.load(str(path), load_external_data=False).graph
    outputs = [_tensor(value, labels and value.name == "logits") for value in graph.output]
    # The other settings of smoothserve.handlers.graph.session_options() have no name here.
    parameters = {"enable_mem_pattern": 0}
    if settings.threads is not None:
        parameters["intra_op_thread_count"] = settings.threads
    return _config(
        name,
        ['platform: "onnxruntime_onnx"'],
        [_tensor(value) for value in graph.input],
        outputs,
        settings,
        settings.instances,
        settings.device,
        parameters,
    )


def photo_config(name: str, heatmap: Sequence[int], network: str | None, settings: TritonSettings) -> str:
    """Of a Python model for photos.

    Args:
        name: of the model.
        heatmap: shape of one image's.
        network: the model that runs the network; None: this one does.
        settings: see there.
    """
    parameters: dict[str, object] = {"batch": settings.batch_size, **settings.limits}
    if network is not None:
        parameters = {"network": network, **parameters}
    else:
        own = {"threads": settings.threads, "records": settings.records}
        parameters |= {name: value for name, value in own.items() if value is not None}
    return _config(
        name,
        ['backend: "python"'],
        [Tensor("photo", "TYPE_STRING", [1])],
        [
            Tensor("predictions", "TYPE_STRING", [1]),
            Tensor("explanation", "TYPE_STRING", [1]),
            Tensor("heatmap", "TYPE_FP32", heatmap),
            Tensor("overlay", "TYPE_STRING", [1]),
        ],
        settings,
        # One more than of the network: while it runs, the next photos are decoded.
        settings.instances if network is None else settings.instances + 1,
        settings.device if network is None else "cpu",
        parameters,
    )


def _config(
    name: str,
    runs: Sequence[str],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    settings: TritonSettings,
    instances: int,
    device: str,
    parameters: Mapping[str, object],
) -> str:
    lines = [
        f"name: {json.dumps(name)}",
        *runs,
        f"max_batch_size: {settings.batch_size}",
        *_block("input", inputs),
        *_block("output", outputs),
        f"dynamic_batching {{ max_queue_delay_microseconds: {1000 * settings.max_batch_delay} }}",
        f"instance_group [ {{ kind: {_KINDS[device]}, count: {instances} }} ]",
        *(
            f"parameters {{ key: {json.dumps(key)}, value: {{ string_value: {json.dumps(str(value))} }} }}"
            for key, value in parameters.items()
        ),
    ]
    return "\n".join(lines) + "\n"


def _block(name: str, tensors: Sequence[Tensor]) -> list[str]:
    return [f"{name} [", ",\n".join(f"  {tensor}" for tensor in tensors), "]"]


def _tensor(value: onnx.ValueInfoProto, labels: bool = False) -> Tensor:
    kind = value.type.tensor_type
    return Tensor(value.name, _TYPES[kind.elem_type], [size.dim_value for size in kind.shape.dim][1:], labels)


def _list(sizes: Sequence[int]) -> str:
    return f"[ {', '.join(map(str, sizes))} ]"
