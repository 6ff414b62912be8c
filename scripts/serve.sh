#!/usr/bin/env bash
# Serves archives of model_store/ with TorchServe until interrupted, and always stops it again.
#
# usage: scripts/serve.sh [--together] NAME [NAME ...]
#
# Each archive is registered twice, with a queue and a worker each: NAME answers predictions only, NAME-explain
# explanations. So a slow explanation never delays a prediction; NAME redirects explanations (307) to NAME-explain.
# --together registers NAME alone, for everything: half the memory, but predictions wait for explanations.
#
# environment:
#   SMOOTHSERVE_CONFIG   TorchServe configuration (default: config.properties, loopback on port 8080)
#   SMOOTHSERVE_STORE    folder of the archives   (default: model_store)
#   SMOOTHSERVE_RUN      folder for logs, sockets and the pid file (default: a fresh temporary one)
set -euo pipefail
config=$(realpath "${SMOOTHSERVE_CONFIG:-"$(dirname "$0")/../config.properties"}")
store=$(realpath "${SMOOTHSERVE_STORE:-"$(dirname "$0")/../model_store"}")
[ -z "${SMOOTHSERVE_RUN:-}" ] || { mkdir -p "$SMOOTHSERVE_RUN" && SMOOTHSERVE_RUN=$(realpath "$SMOOTHSERVE_RUN"); }

export SMOOTHSERVE_SPLIT=1
if [ "${1:-}" = --together ]; then
  SMOOTHSERVE_SPLIT=0
  shift
fi
if [ $# -eq 0 ] || [ "$1" = --help ] || [ "$1" = -h ]; then
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
  [ $# -gt 0 ] && exit 0 || exit 2
fi

cd "$(dirname "$0")/.."
own_run=
if [ -z "${SMOOTHSERVE_RUN:-}" ]; then
  own_run=$(mktemp -d)
fi
run=${SMOOTHSERVE_RUN:-$own_run}
[ -x .venv/bin/torchserve ] && PATH="$PWD/.venv/bin:$PATH"

command -v torchserve >/dev/null || {
  echo "serve: torchserve is not installed: pip install 'smoothserve[cpu,serve]', or run scripts/setup.sh cpu,serve" >&2
  exit 1
}
scripts/java.sh
models=()
for name in "$@"; do
  case $name in
    --*) echo "serve: $name must stand before the names; there is only --together" >&2 && exit 2 ;;
    *-explain) echo "serve: '$name' ends in -explain, which is the name of another archive's second registration" >&2 && exit 2 ;;
  esac
  [ -f "$store/$name.mar" ] || {
    echo "serve: $store/$name.mar does not exist; make it with: smoothserve archive MODEL $name" >&2
    exit 1
  }
  models+=("$name=$name.mar")
  [ "$SMOOTHSERVE_SPLIT" = 0 ] || models+=("$name-explain=$name.mar")
done

# A second server would otherwise end without a word, or requests would go to a stranger.
setting() { sed -n "s/^$1=//p" "$config" | tail -n 1; }
grpc=$(setting grpc_inference_port) grpc_management=$(setting grpc_management_port)
addresses=$(sed -n 's/^\(inference\|management\|metrics\)_address=https\{0,1\}:\/\///p' "$config")
for address in $addresses "127.0.0.1:${grpc:-7070}" "127.0.0.1:${grpc_management:-7071}"; do
  if (exec 3<>"/dev/tcp/${address%:*}/${address##*:}") 2>/dev/null; then
    echo "serve: $address is taken: another server runs there. Stop it, or set SMOOTHSERVE_CONFIG to a file with other ports" \
      "(addresses, grpc_inference_port, grpc_management_port)." >&2
    exit 1
  fi
done

# TorchServe reads the metrics' declaration from its working directory, and writes the tokens' key_file.json there.
metrics=$(setting metrics_config)
if [ -n "$metrics" ]; then
  for file in "$metrics" "$(dirname "$config")/$metrics" "$PWD/deploy/$(basename "$metrics")" ""; do
    [[ $file != /* ]] || [ ! -f "$file" ] || break
  done
  [ -n "$file" ] || { echo "serve: metrics_config=$metrics of $config does not exist" >&2; exit 1; }
  metrics=$file
fi
sed "s|^metrics_config=.*|metrics_config=$metrics|" "$config" >"$run/effective.properties"
cd "$run"

# TMPDIR holds the pid file, TEMP the workers' sockets and unpacked archives: one server for each.
export TMPDIR=$run TEMP=$run LOG_LOCATION=$run/logs METRICS_LOCATION=$run/logs

server=
stop() {
  trap - EXIT
  trap '' INT TERM HUP # finish what is begun
  if [ -n "$server" ] && kill -0 -- "-$server" 2>/dev/null; then
    torchserve --stop --foreground >/dev/null 2>&1 || true
    # Whatever is left of the server's process group: TorchServe knows nothing of a start half done.
    for signal in TERM KILL; do
      for _ in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 -- "-$server" 2>/dev/null || break 2
        sleep 0.2
      done
      kill "-$signal" -- "-$server" 2>/dev/null || true
    done
  fi
  [ -z "$own_run" ] || rm -rf "$own_run"
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

echo "serve: logs in $run/logs" >&2
grep -q '^disable_token_authorization=true' "$config" || echo "serve: tokens in $run/key_file.json" >&2
setsid torchserve --start --foreground --ncs --ts-config "$run/effective.properties" --model-store "$store" --models "${models[@]}" \
  >"$run/torchserve.out" 2>&1 &
server=$!
wait "$server" || true
own_run= # its logs are kept
echo "serve: TorchServe ended by itself (logs in $run/logs):" >&2
tail -n 20 "$run/torchserve.out" >&2
exit 1
