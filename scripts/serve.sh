#!/usr/bin/env bash
# Serves archives of model_store/ with TorchServe until interrupted, and always stops it again.
#
# usage: scripts/serve.sh NAME [NAME ...]
#
# environment:
#   SMOOTHSERVE_CONFIG   TorchServe configuration (default: config.properties, loopback on port 8080)
#   SMOOTHSERVE_STORE    folder of the archives   (default: model_store)
#   SMOOTHSERVE_RUN      folder for logs, sockets and the pid file (default: a fresh temporary one)
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -eq 0 ] || [ "$1" = --help ] || [ "$1" = -h ]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
  [ $# -gt 0 ] && exit 0 || exit 2
fi

config=$(realpath "${SMOOTHSERVE_CONFIG:-config.properties}")
store=$(realpath "${SMOOTHSERVE_STORE:-model_store}")
own_run=
if [ -z "${SMOOTHSERVE_RUN:-}" ]; then
  own_run=$(mktemp -d)
fi
run=$(realpath "${SMOOTHSERVE_RUN:-$own_run}")
[ -x .venv/bin/torchserve ] && PATH="$PWD/.venv/bin:$PATH"

command -v torchserve >/dev/null || {
  echo "serve: torchserve is not installed: pip install 'smoothserve[cpu,serve]', or run scripts/setup.sh cpu,serve" >&2
  exit 1
}
scripts/java.sh
models=()
for name in "$@"; do
  [ -f "$store/$name.mar" ] || {
    echo "serve: $store/$name.mar does not exist; make it with: smoothserve archive MODEL $name" >&2
    exit 1
  }
  models+=("$name=$name.mar")
done

# TMPDIR holds the pid file, TEMP the workers' sockets and unpacked archives: one server for each.
export TMPDIR=$run TEMP=$run LOG_LOCATION=$run/logs METRICS_LOCATION=$run/logs

stop() {
  trap - EXIT INT TERM
  torchserve --stop --foreground >/dev/null 2>&1 || true
  [ -n "$own_run" ] && rm -rf "$own_run"
  return 0
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "serve: logs in $run/logs" >&2
torchserve --start --foreground --ncs --ts-config "$config" --model-store "$store" --models "${models[@]}" \
  >"$run/torchserve.out" 2>&1 &
server=$!
wait "$server" || {
  echo "serve: TorchServe ended by itself:" >&2
  tail -n 20 "$run/torchserve.out" >&2
  exit 1
}
