#!/usr/bin/env bash
# Sets up and runs every check: lint, types, tests (a real TorchServe included), the built wheel.
#
# usage: scripts/test.sh [pytest arguments]      with arguments only pytest runs, with those
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh cpu,serve,demo,dev
scripts/java.sh
export PATH="$PWD/.venv/bin:$PATH"
if [ $# -gt 0 ]; then
  exec pytest "$@"
fi
ruff check .
ruff format --check .
scripts/types.sh
scripts/wheel.sh
pytest -n 2 --dist loadgroup
