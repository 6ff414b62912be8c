#!/usr/bin/env bash
# mypy --strict over the package under its import names (folders stand at the top level, so type
# checkers need to see them below a folder called smoothserve).
set -euo pipefail
cd "$(dirname "$0")/.."

view=$(mktemp -d)
trap 'rm -rf "$view"' EXIT
scripts/view.sh "$view"
MYPYPATH=$view .venv/bin/mypy --config-file pyproject.toml --cache-dir .mypy_cache \
  -p smoothserve
