#!/usr/bin/env bash
# Creates .venv and installs the package with the extras given; does nothing if that is done already.
# usage: scripts/setup.sh EXTRA[,EXTRA...]      e.g. scripts/setup.sh cpu,serve,demo
set -euo pipefail
cd "$(dirname "$0")/.."

extras=${1:?usage: scripts/setup.sh EXTRA[,EXTRA...]}
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  echo "setup: Python 3.10 or newer is needed; '$python' is not. Set PYTHON to one." >&2
  exit 1
fi

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
  # torch and torchvision are named together so that pip picks a pair that fits.
  .venv/bin/python -m pip install --quiet --disable-pip-version-check torch torchvision -e ".[$extras]"
  echo "$wanted" >"$stamp"
fi
