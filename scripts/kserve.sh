#!/usr/bin/env bash
# Makes sure that KServe's server is there: in .venv-kserve, an environment of its own. Does nothing if that is done.
#
# It stands apart because kserve takes 500 MB, and pins protobuf and psutil below the versions of .venv. It has no
# PyTorch: the handlers need none. 'smoothserve serve --engine kserve' finds it.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
stamp=.venv-kserve/smoothserve-installed
wanted="$PWD $("$python" -V) $(cksum deploy/kserve/requirements.txt | cut -d' ' -f1)"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
  exit 0
fi
if ! "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' 2>/dev/null; then
  echo "kserve: Python 3.10 to 3.13 is needed, which is what kserve takes; '$python' is not. Set PYTHON to one." >&2
  exit 1
fi
echo "kserve: installing kserve into .venv-kserve (500 MB) ..." >&2
"$python" -m venv --clear .venv-kserve || {
  echo "kserve: could not create .venv-kserve; on Debian and Ubuntu: apt-get install python3-venv" >&2
  exit 1
}
.venv-kserve/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -r deploy/kserve/requirements.txt >&2
# The handlers, which stand at the top level, under their import name, as an archive and the container have them.
mkdir -p .venv-kserve/view/smoothserve
ln -sfn "$PWD/handlers" .venv-kserve/view/smoothserve/handlers
site=$(.venv-kserve/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$PWD/.venv-kserve/view" >"$site/smoothserve.pth"
echo "$wanted" >"$stamp"
