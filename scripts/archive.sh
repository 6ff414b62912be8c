#!/usr/bin/env bash
# The pipeline's entry: a model in, a verified archive model_store/NAME.mar out.
#
# usage: scripts/archive.sh MODEL NAME [options of 'smoothserve archive']
#
#   scripts/archive.sh efficientnet-lite0 cats
#   scripts/archive.sh torchvision:resnet50 resnet --weights resnet50.safetensors --labels names.txt
#   scripts/archive.sh nets/mine.py:build mine --method smoothgrad --samples 16
#
# Prints the archive's path. A non-zero exit status and a line on stderr say what went wrong; an older
# archive of that name stays in place then.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

if [ $# -lt 2 ]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
  [ "${1:-}" = --help ] || [ "${1:-}" = -h ] && exit 0 || exit 2
fi
model=$1 name=$2
shift 2
extras=cpu,serve
[ "$model" = efficientnet-lite0 ] && extras=cpu,serve,demo
command=$here/.venv/bin/smoothserve
if [ ! -f "$here/.venv/smoothserve-cpu,serve,demo,dev" ]; then
  "$here/scripts/setup.sh" "$extras"
fi
exec "$command" archive "$model" "$name" --store "$here/model_store" "$@"
