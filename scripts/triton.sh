#!/usr/bin/env bash
# Serves a model repository of 'smoothserve triton' on loopback, by the tritonserver that NVIDIA's wheel has.
#
# usage: scripts/triton.sh                                    only makes sure that the server is there
#        scripts/triton.sh REPOSITORY [tritonserver OPTIONS]  serves until interrupted: HTTP 8000, gRPC 8001
#
# The server is in build/triton, a Python environment of its own: tritonserver with the Python backend (the wheel
# nvidia-pytriton), what models of the repository need, and tritonclient. The first run installs it.
# There is no ONNX backend in the wheel. Models that need it are left out, and named; NVIDIA's container has it.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/build/triton
server_wheel=nvidia-pytriton==0.7.0

case ${1:-} in
  -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
esac

python=${PYTHON:-python3}
[ ! -x "$root/.venv/bin/python" ] || python=$root/.venv/bin/python

explain_failure() {
  echo "triton: the server could not be installed; the lines above say why. It needs Linux on x86-64 with glibc 2.35 or" \
    "newer, and Python 3.10 to 3.12 with venv." >&2
  exit 1
}

install() {
  local version
  echo "triton: installing tritonserver and its client into build/triton ..." >&2
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  rm -rf "$venv"
  "$python" -m venv "$venv" >&2 || return
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'tritonclient[http,grpc]' 'numpy<2' pillow onnxruntime >&2 &&
    # Of the wheel only the server is wanted, not what its Python package needs.
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "$server_wheel" >&2 || return
  # The process in which Triton runs a model's Python, of this Python's version.
  local server=$venv/lib/python$version/site-packages/pytriton/tritonserver
  cp "$server/python_backend_stubs/$version/triton_python_backend_stub" "$server/backends/python/" >&2
}

# Models that the server at $1 has no backend for: those of ONNX Runtime, and those that ask one of them.
without_backend() {
  local config model network
  for config in "$1"/*/config.pbtxt; do
    model=$(basename "$(dirname "$config")")
    network=$(sed -n 's/.*key: "network".*string_value: "\([^"]*\)".*/\1/p' "$config")
    if grep -q '"onnxruntime_onnx"' "$config" "$1/${network:-$model}/config.pbtxt"; then echo "$model"; fi
  done
}

wanted="$server_wheel $root $("$python" -V) $(cksum "$0" | cut -d' ' -f1)"
stamp=$venv/smoothserve-installed
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
  mkdir -p "$root/build"
  install || explain_failure
  echo "$wanted" >"$stamp"
fi
[ $# -gt 0 ] || exit 0

repository=$1
shift
if ! compgen -G "$repository/*/config.pbtxt" >/dev/null; then
  echo "triton: $repository is no model repository. Make one: smoothserve triton model.onnx -o $repository" >&2
  exit 2
fi
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
server=$site/pytriton/tritonserver
models=(--model-control-mode=none)
if [ ! -d "$server/backends/onnxruntime" ]; then
  left_out=$(without_backend "$repository")
  if [ -n "$left_out" ]; then
    models=(--model-control-mode=explicit)
    for config in "$repository"/*/config.pbtxt; do
      model=$(basename "$(dirname "$config")")
      grep -qxF "$model" <<<"$left_out" || models+=(--load-model="$model")
    done
    echo "triton: this server has no ONNX backend; it leaves out:" $left_out >&2
  fi
fi
export PATH=$venv/bin:$PATH PYTHONPATH=$site
LD_LIBRARY_PATH=$site/nvidia_pytriton.libs:$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_config_var("LIBDIR"))')
export LD_LIBRARY_PATH
exec "$server/bin/tritonserver" --model-repository="$repository" --backend-directory="$server/backends" "${models[@]}" \
  --http-address=127.0.0.1 --grpc-address=127.0.0.1 --metrics-address=127.0.0.1 "$@"
