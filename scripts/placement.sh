#!/usr/bin/env bash
# Asks onnxruntime-gpu where it would put the nodes of explanation graphs; needs gcc, and no graphics processor.
#
# usage: scripts/placement.sh [--networks NAME ...] [--report]     writes docs/measurements/placement.md
#
# The first run installs onnxruntime-gpu (340 MB) and onnxruntime-webgpu (73 MB) into build/placement; PyTorch's CUDA
# build has to be in .venv, for the libraries of CUDA, and Debian's chromium and libvulkan1 on the machine, for Vulkan
# in software.
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/placement
PATH="$PWD/.venv/bin:$PATH"
if [ ! -d "$build/packages/onnxruntime" ]; then
  echo "placement: installing onnxruntime-gpu into $build ..." >&2
  python -m pip install --quiet --disable-pip-version-check --no-deps --target "$build/packages" onnxruntime-gpu >&2
fi
if [ ! -d "$build/webgpu/onnxruntime" ]; then
  echo "placement: installing onnxruntime-webgpu into $build ..." >&2
  python -m pip install --quiet --disable-pip-version-check --no-deps --target "$build/webgpu" onnxruntime-webgpu >&2
fi
mkdir -p "$build/stubs"
library() {  # NAME PART: of driver.c, called NAME
  gcc -shared -fPIC "-D$2" -Wl,-soname,"$1" -o "$build/stubs/$1" benchmarks/placement/driver.c
}
library libcuda.so.1 DRIVER
library libnvinfer.so.10 TENSORRT
library libnvonnxparser.so.10 TENSORRT
library runtime.so RUNTIME
exec python -m benchmarks.placement --build "$build" "$@"
