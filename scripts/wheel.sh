#!/usr/bin/env bash
# Builds the wheel, installs it into a clean environment and does the main job with it there, so that
# a file missing from the package or an undeclared dependency shows.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

# Inside .venv, whose files are linked below: hard links do not cross file systems.
work=$(mktemp -d "$root/.venv/wheel-XXXXXX")
trap 'rm -rf "$work"' EXIT
git -C "$root" ls-files -z --cached --others --exclude-standard | (cd "$root" && xargs -0 cp --parents -t "$work")
cd "$work"
"$root/.venv/bin/python" -m build --wheel --outdir "$work/dist" "$work" >"$work/build.log" 2>&1 || {
  tail -n 20 "$work/build.log" >&2
  exit 1
}
"$root/.venv/bin/python" -m venv "$work/venv"
wheel=$(ls "$work"/dist/*.whl)
# PyTorch's gigabytes are linked, not installed a second time; all else is.
site=lib/$("$root/.venv/bin/python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')/site-packages
find "$root/.venv/$site" -maxdepth 1 \( -name torch -o -name 'torch-*' -o -name torchgen -o -name functorch -o -name 'torchvision*' -o \
  -name 'nvidia*' -o -name 'triton*' \) -exec cp -rl -t "$work/venv/$site" {} +
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch torchvision "$wheel[cpu]"
mkdir "$work/elsewhere" && cd "$work/elsewhere"
cat >net.py <<'PY'
import torch


def build():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(8, 4)
    )
PY
"$work/venv/bin/python" -c 'from PIL import Image; Image.effect_noise((60, 50), 80).save("photo.png")'
"$work/venv/bin/smoothserve" export net.py:build --size 32 -o m.onnx
"$work/venv/bin/smoothserve" explain m.onnx photo.png -o overlay.png
"$work/venv/bin/smoothserve" verify m.onnx
if "$work/venv/bin/smoothserve" web m.onnx -o site --ort "$work" 2>err.txt; then exit 1; fi
grep -q "npm install onnxruntime-web@" err.txt # says what to fetch
if [ -d "$root/clients/web/node_modules" ]; then # scripts/web.sh
  "$work/venv/bin/smoothserve" web m.onnx -o site --ort "$root/clients/web/node_modules/onnxruntime-web"
  test -s site/index.html && test -s site/smoothserve/worker.js && test -s site/models/m.onnx
fi
"$work/venv/bin/smoothserve" triton m.onnx -o repository
test -s repository/m/1/model.onnx && test -s repository/m_photo/1/smoothserve/handlers/triton/model.py
"$work/venv/bin/python" -c 'import importlib.metadata as m; assert m.version("smoothserve"); import smoothserve.handlers.torchserve.handler'
test -s overlay.png
if "$work/venv/bin/smoothserve" archive m.onnx name 2>err.txt; then exit 1; fi
grep -q "smoothserve\[serve\]" err.txt # says what to install
echo "wheel: $(basename "$wheel") installs cleanly and does the main job"
