#!/usr/bin/env bash
# Builds the documentation into site/, with warnings as errors. Needs no network.
#
# usage: scripts/docs.sh           builds it
#        scripts/docs.sh serve     shows it at http://127.0.0.1:8000 and builds it again at every change
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-build} in
  build) arguments=(build --strict --clean) ;;
  serve) arguments=(serve --strict) ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; [ "$1" = --help ] || [ "$1" = -h ] && exit 0 || exit 2 ;;
esac
[ ! -x .venv/bin/mkdocs ] || PATH="$PWD/.venv/bin:$PATH"
command -v mkdocs >/dev/null || {
  echo "docs: mkdocs is not installed: run scripts/setup.sh cpu,serve,demo,dev" >&2
  exit 1
}
export NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true # the theme's remark about a version we do not use

# The package's folders stand at the top level; docstrings are looked up under its import names.
view=$(mktemp -d)
trap 'rm -rf "$view"' EXIT
scripts/view.sh "$view"
PYTHONPATH=$view python -m mkdocs "${arguments[@]}"
