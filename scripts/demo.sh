#!/usr/bin/env bash
# The whole way on real weights and a real photo: export, explain, archive, serve, ask, stop.
#
# usage: scripts/demo.sh [PHOTO]      default: a cat (chelsea.png, in the scikit-image package)
#
# Writes demo_output/. The first run installs everything into .venv.
set -euo pipefail
case ${1:-} in
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
esac
[ $# -eq 0 ] || set -- "$(realpath "$1")"
cd "$(dirname "$0")/.."

extras=cpu,serve,demo
[ -f ".venv/smoothserve-$extras,dev" ] || scripts/setup.sh "$extras"
PATH="$PWD/.venv/bin:$PATH"
name=efficientnet-lite0
out=demo_output
mkdir -p "$out"
photo=${1:-$(python -c 'import pathlib, skimage; print(pathlib.Path(skimage.__file__).parent / "data/chelsea.png")')}

echo "== 1. export $name (ImageNet weights) with SmoothDiff: one graph, prediction and heatmap"
smoothserve export "$name" -o "$out/$name.onnx"

echo "== 2. explain $photo with ONNX Runtime"
smoothserve explain "$out/$name.onnx" "$photo" -o "$out/overlay.png"
echo "overlay: $out/overlay.png"

echo "== 3. archive for TorchServe"
smoothserve archive "$out/$name.onnx" "$name"

echo "== 4. serve, and ask /predictions and /explanations"
if ! scripts/java.sh; then
  echo "demo: no Java, so the server part was left out; everything above ran." >&2
  exit 0
fi
run=$(mktemp -d)
SMOOTHSERVE_RUN=$run scripts/serve.sh "$name" &
server=$!
# Stop the server however this script ends, and wait until it is gone.
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$run"' EXIT
for _ in $(seq 60); do
  kill -0 "$server" 2>/dev/null || { echo "demo: the server ended; is port 8080 taken?" >&2; exit 1; }
  python scripts/ready.py "$name" "$name-explain" --wait 1 2>/dev/null && break
done
python examples/ask.py "$photo" --model "$name" -o "$out/served_overlay.png"
echo "== done: open $out/overlay.png and $out/served_overlay.png"
