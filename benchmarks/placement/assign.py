"""Prints what onnxruntime-gpu says while it assigns the nodes of a file to CUDA and the processor.

usage: python assign.py PACKAGES MODEL.onnx      run by :mod:`benchmarks.placement`, with its libraries
"""

import sys
from contextlib import suppress
from importlib import import_module

sys.path.insert(0, sys.argv[1])
import_module("torch")  # brings CUDA's libraries
onnxruntime = import_module("onnxruntime")

options = onnxruntime.SessionOptions()
options.log_severity_level = 0
options.log_verbosity_level = 1
with suppress(Exception):  # no device: kernels cannot be made
    onnxruntime.InferenceSession(
        sys.argv[2], options, providers=["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
