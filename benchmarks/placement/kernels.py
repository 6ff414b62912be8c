"""Writes down which kernels onnxruntime-gpu has for CUDA, for tests that have no onnxruntime-gpu.

usage: python -m benchmarks.placement.kernels BUILD     after scripts/placement.sh; writes
tests/export/kernels/cuda.json
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .assign import environment

FILE = Path("tests/export/kernels/cuda.json")
_ASK = """\
import json, sys
sys.path.insert(0, sys.argv[1])
import torch, onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_opkernel_def
kernels = [
    [k.op_name, list(k.version_range), k.type_constraints]
    for k in get_all_opkernel_def() if k.provider == "CUDAExecutionProvider" and k.domain == ""
]
print(json.dumps({"onnxruntime-gpu": onnxruntime.__version__, "kernels": kernels}))
"""
_OPSET = 18  # of exported files


def main() -> None:
    build = Path(sys.argv[1])
    done = subprocess.run(
        [sys.executable, "-c", _ASK, build / "packages"],
        env=environment(build), stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    kernels: dict[str, list[object]] = {}
    for name, (first, last), types in sorted(found["kernels"], key=json.dumps):
        if first <= _OPSET:
            allowed = {
                label: sorted(kind[len("tensor(") : -1] for kind in kinds) for label, kinds in types.items()
            }
            kernels.setdefault(name, []).append([first, last, allowed])
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(rows)}" for name, rows in kernels.items())
    FILE.write_text(f'{{"onnxruntime-gpu": "{found["onnxruntime-gpu"]}", "kernels": {{\n{lines}\n}}}}\n')
    sys.stderr.write(f"{FILE}: {len(kernels)} operators\n")


if __name__ == "__main__":
    main()
