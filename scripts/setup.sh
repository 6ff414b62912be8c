#!/usr/bin/env bash
# Creates .venv and installs the package with the extras given; does nothing if that is done already.
# usage: scripts/setup.sh EXTRA[,EXTRA...]      e.g. scripts/setup.sh cpu,serve,demo
#
# SMOOTHSERVE_TORCH_INDEX: where PyTorch's wheels are, besides pip's own index, such as
# https://download.pytorch.org/whl/cpu for the CPU build. Without it, and without an NVIDIA GPU, the CPU build is
# taken where pip's own index offers it; set but empty, it is not looked for.
set -euo pipefail
cd "$(dirname "$0")/.."

extras=${1:?usage: scripts/setup.sh EXTRA[,EXTRA...]}
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  echo "setup: Python 3.10 or newer is needed; '$python' is not. Set PYTHON to one." >&2
  exit 1
fi

# Whether the CPU build of PyTorch is to be looked for: no GPU, none installed yet, and nobody said otherwise.
wants_cpu_build() {
  [ -z "${SMOOTHSERVE_TORCH_INDEX+set}" ] && [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] &&
    ! command -v nvidia-smi >/dev/null && [ ! -e /proc/driver/nvidia ] &&
    ! .venv/bin/python -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))'
}

# The newest CPU builds of torch and torchvision that pip's index has, a line each; fewer lines if it has none.
cpu_build() {
  for package in torch torchvision; do
    .venv/bin/python -m pip index versions "$package" 2>/dev/null | tr ', ' '\n\n' | grep -m 1 '+cpu$' |
      sed "s/^/$package==/" || true
  done
}

install() {
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@" -e ".[$extras]"
}

wanted="$extras $PWD $("$python" -V) $(cksum pyproject.toml | cut -d' ' -f1)"
stamp=.venv/smoothserve-$extras
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
  echo "setup: installing smoothserve[$extras] into .venv (the first time, PyTorch takes a while) ..." >&2
  if [ ! -x .venv/bin/python ]; then
    "$python" -m venv .venv || {
      echo "setup: could not create .venv; on Debian and Ubuntu: apt-get install python3-venv" >&2
      exit 1
    }
  fi
  mapfile -t build < <(wants_cpu_build && cpu_build)
  if [ ${#build[@]} -eq 2 ]; then
    echo "setup: no NVIDIA GPU: taking the CPU build of PyTorch, ${build[*]}" >&2
    install "${build[@]}" || {
      echo "setup: that does not fit; taking the default build" >&2
      install torch torchvision
    }
  else
    if wants_cpu_build; then
      echo "setup: no NVIDIA GPU, but pip's index offers no CPU build of PyTorch: taking the default build, which is" \
        "CUDA's (6.5 GB). SMOOTHSERVE_TORCH_INDEX=https://download.pytorch.org/whl/cpu gives the CPU build." >&2
    fi
    # torch and torchvision are named together so that pip picks a pair that fits.
    install ${SMOOTHSERVE_TORCH_INDEX:+--extra-index-url "$SMOOTHSERVE_TORCH_INDEX"} torch torchvision
  fi
  echo "$wanted" >"$stamp"
fi
