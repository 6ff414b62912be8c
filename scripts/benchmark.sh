#!/usr/bin/env bash
# Measure everything that docs/measurements reports, one after the other: figures go to benchmarks/results, pages to
# docs/measurements.
#
# usage: scripts/benchmark.sh [NAME ...]
#
# NAME: speed eager backends cpp equal_quality scaling convergence propagated propagated_cost memory families
# transformers browser parity serving (default: all, some six hours on 2 cores). Nothing else should run meanwhile.
# Options of one of them: python -m benchmarks.NAME --help
set -euo pipefail
cd "$(dirname "$0")/.."
known="speed eager backends cpp equal_quality scaling convergence propagated propagated_cost memory families transformers browser parity serving"
for name in "$@"; do
  case " $known " in
    *" $name "*) ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; [ "$name" = --help ] && exit 0; echo "unknown: $name" >&2; exit 2 ;;
  esac
done
if [ ! -x .venv/bin/python ]; then
  echo "benchmark: there is no .venv here; benchmarks/README.md says how to make one" >&2
  exit 1
fi
for name in ${*:-$known}; do
  echo "== $name" >&2
  .venv/bin/python -m "benchmarks.$name"
done
