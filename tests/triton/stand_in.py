"""Stands for Triton's ONNX backend, which the wheel lacks: runs model.onnx, by its config.pbtxt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """The ONNX backend in Python: a batch of requests is one run, and every output is computed."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        self.outputs = {output["name"]: output for output in config["output"]}
        path = Path(args["model_repository"], args["model_version"], "model.onnx")
        self.session = onnxruntime.InferenceSession(path)

    def execute(self, requests: list[Any]) -> list[Any]:
        feeds, sizes = {}, []
        for name in ("image", "target"):
            values = [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
            sizes = [len(value) for value in values]
            feeds[name] = np.concatenate(values)
        outputs = dict(zip(self.outputs, self.session.run(list(self.outputs), feeds), strict=True))
        responses, at = [], 0
        for request, size in zip(requests, sizes, strict=True):
            tensors = [
                pb_utils.Tensor(name, np.ascontiguousarray(outputs[name][at : at + size]))
                for name in request.requested_output_names()
            ]
            responses.append(pb_utils.InferenceResponse(tensors))
            at += size
        return responses
