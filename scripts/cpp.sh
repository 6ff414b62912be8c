#!/usr/bin/env bash
# Explains a photo in C++: builds clients/cpp where that is needed, and runs its program.
#
# usage: scripts/cpp.sh MODEL.onnx PHOTO [OPTIONS]             runs smoothserve-cpp; --help has its options
#        scripts/cpp.sh --build FOLDER TARGET [CMAKE-OPTIONS]  only builds a target, such as all, into FOLDER
#
# Builds into build/cpp. As root on Debian and Ubuntu it installs what is missing; elsewhere it says what that is.
# ONNX Runtime: CMAKE_PREFIX_PATH, if it is set; else the system's; else the library in .venv's onnxruntime package,
# with the headers of Debian 13, whose package is fetched and unpacked into build/onnxruntime.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
packages=(cmake make g++ libjpeg-dev libpng-dev nlohmann-json3-dev)
runtime=$root/build/onnxruntime

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed'; }

# What a build needs, besides ONNX Runtime. Where nothing can be installed, CMake says what it misses.
install_packages() {
  command -v dpkg-query >/dev/null && [ "$(id -u)" = 0 ] || return 0
  local missing=() package
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -eq 0 ] && return
  echo "cpp: installing ${missing[*]} ..." >&2
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# The folder of the library in an onnxruntime package of Python; a package is fetched where none is installed.
python_library() {
  local find='import importlib.util as u, pathlib; print(pathlib.Path(u.find_spec("onnxruntime").origin).parent / "capi")'
  local python folder
  for python in "$root/.venv/bin/python" "$runtime/venv/bin/python" python3; do
    folder=$("$python" -c "$find" 2>/dev/null) && compgen -G "$folder/libonnxruntime.so.*" >/dev/null && echo "$folder" && return
  done
  echo "cpp: fetching ONNX Runtime's package for Python ..." >&2
  install_packages python3-venv
  python3 -m venv "$runtime/venv" >&2 && "$runtime/venv/bin/python" -m pip install --quiet --no-deps onnxruntime >&2 &&
    "$runtime/venv/bin/python" -c "$find"
}

# Debian 13's headers, from the system's own mirror, with lists of their own, so that the system's packages stay as
# they are.
fetch_headers() {
  local apt=$runtime/apt mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/*$') || return
  echo "cpp: fetching ONNX Runtime's headers (Debian's libonnxruntime-dev) ..." >&2
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$apt/list"
  local options=(-qq -o "Dir::Etc::sourcelist=$apt/list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$apt/lists"
    -o "Dir::Cache=$apt/cache" -o "APT::Sandbox::User=$(id -un)")
  (cd "$apt" && apt-get "${options[@]}" update && apt-get "${options[@]}" download libonnxruntime-dev) >&2 &&
    dpkg-deb -x "$apt"/libonnxruntime-dev_*.deb "$apt/unpacked" &&
    cp -r "$apt/unpacked/usr/include/onnxruntime" "$runtime/include" &&
    rm -rf "$apt"
}

# CMake's arguments that say where ONNX Runtime is; none where CMake finds it.
onnxruntime() {
  [ -z "${CMAKE_PREFIX_PATH:-}" ] && ! [ -e /usr/include/onnxruntime/onnxruntime_cxx_api.h ] || return 0
  local folder library
  folder=$(python_library) || return
  mkdir -p "$runtime/lib"
  for library in "$folder"/libonnxruntime*.so*; do ln -sfn "$library" "$runtime/lib/"; done
  # The name that programs are linked with, which the package leaves out.
  library=$(compgen -G "$folder/libonnxruntime.so.1*" | head -n 1)
  ln -sfn "$library" "$runtime/lib/libonnxruntime.so.1"
  ln -sfn libonnxruntime.so.1 "$runtime/lib/libonnxruntime.so"
  [ -d "$runtime/include" ] || fetch_headers || return
  printf -- '-DOnnxRuntime_LIBRARY=%s\n-DOnnxRuntime_INCLUDE_DIR=%s\n' "$runtime/lib/libonnxruntime.so" "$runtime/include"
}

# build FOLDER TARGET CMAKE-OPTIONS...
build() {
  local folder=$1 target=$2 places log
  shift 2
  mkdir -p "$root/build" "$folder"
  exec 9>"$root/build/cpp.lock"
  ! command -v flock >/dev/null || flock 9
  log=$folder/build.log
  install_packages "${packages[@]}" || return
  places=$(onnxruntime) || return
  mapfile -t places <<<"$places"
  [ -n "${places[0]}" ] || places=()
  if ! command -v cmake >/dev/null || ! cmake -S "$root/clients/cpp" -B "$folder" "${places[@]}" "$@" >"$log" 2>&1 ||
    ! cmake --build "$folder" --target "$target" -j 2 >>"$log" 2>&1; then
    [ ! -s "$log" ] || tail -n 25 "$log" >&2
    return 1
  fi
  exec 9>&-
}

explain_failure() {
  echo "cpp: clients/cpp could not be built; the lines above say why. It needs a compiler of C++17, CMake 3.18, libjpeg-turbo," \
    "libpng, nlohmann-json and ONNX Runtime:" >&2
  echo "  Debian, Ubuntu:  sudo apt-get install ${packages[*]}" >&2
  echo "  ONNX Runtime:    Debian 13 has libonnxruntime-dev. Elsewhere unpack a release, and name its folder in CMAKE_PREFIX_PATH." >&2
  exit 1
}

case ${1:-} in
  "" | -h)
    usage
    [ $# -gt 0 ] && exit 0 || exit 2
    ;;
  --build)
    [ $# -ge 3 ] || { usage >&2; exit 2; }
    build "${@:2}" || explain_failure
    ;;
  *)
    build "$root/build/cpp" all || explain_failure
    exec "$root/build/cpp/smoothserve-cpp" "$@"
    ;;
esac
