#!/usr/bin/env bash
# Sets up and runs every check: lint, types, documentation, tests (a real TorchServe and KServe included), the built wheel.
#
# usage: scripts/test.sh                      everything
#        scripts/test.sh --quick              lint, types and the fast tests: under two minutes
#        scripts/test.sh --full               more networks, and up to ten times the samples where tests draw some
#        scripts/test.sh PYTEST-ARGUMENTS     only pytest, with those
set -euo pipefail
cd "$(dirname "$0")/.."

case ${1:-} in
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;; # before anything is set up
  --quick | --full) [ $# -eq 1 ] || { echo "test: $1 takes no arguments" >&2; exit 2; } ;;
esac
scripts/setup.sh cpu,serve,demo,dev
export PATH="$PWD/.venv/bin:$PATH"
lint() {
  ruff check .
  ruff format --check .
  scripts/types.sh
}
if [ "${1:-}" = --quick ]; then
  lint
  exec pytest -q -n 2 --dist loadgroup -m "not slow" tests/api tests/handlers \
    tests/cli/test_arrows.py tests/cli/test_main.py tests/cli/test_parser.py \
    tests/docs/test_references.py tests/docs/test_adding_a_rule.py tests/export/rewrites \
    tests/explainers/test_architecture.py tests/explainers/passes tests/explainers/reverse \
    tests/explainers/rules/test_cases.py
fi
scripts/java.sh
scripts/web.sh
scripts/triton.sh
scripts/kserve.sh
if [ "${1:-}" = --full ]; then
  export SMOOTHSERVE_FULL=1
  shift
fi
if [ $# -gt 0 ]; then
  exec pytest "$@"
fi
lint
scripts/docs.sh
scripts/wheel.sh
scripts/cpp.sh --build build/cpp all
pytest -n 2 --dist loadgroup --durations=60
