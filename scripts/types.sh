#!/usr/bin/env bash
# mypy --strict over the package under its import names (folders stand at the top level, so type
# checkers need to see them below a folder called smoothserve).
set -euo pipefail
cd "$(dirname "$0")/.."

view=$(mktemp -d)
trap 'rm -rf "$view"' EXIT
mkdir "$view/smoothserve"
for folder in explainers export handlers cli; do
  ln -s "$PWD/$folder" "$view/smoothserve/$folder"
done
MYPYPATH=$view .venv/bin/mypy --config-file pyproject.toml --cache-dir .mypy_cache \
  -p smoothserve.explainers -p smoothserve.export -p smoothserve.handlers -p smoothserve.cli
