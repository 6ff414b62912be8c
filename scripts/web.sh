#!/usr/bin/env bash
# Makes sure that what the browser's tests need is there: Node, npm, Chromium, and the npm packages of clients/web.
# Exit 0 if so; else installs it or says how.
set -euo pipefail
cd "$(dirname "$0")/../clients/web"

missing=()
node --version 2>/dev/null | grep -qE '^v(1[89]|[2-9][0-9])' || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v chromium >/dev/null || command -v google-chrome >/dev/null || missing+=(chromium)
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "web: installing ${missing[*]} ..." >&2
    apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
  else
    echo "web: the browser's tests need Node 18 or newer, npm and Chromium; missing: ${missing[*]}. For example:" >&2
    echo "  Debian:  sudo apt-get install ${missing[*]}" >&2
    echo "  Fedora:  sudo dnf install nodejs npm chromium" >&2
    exit 1
  fi
fi
stamp=node_modules/smoothserve-installed
if ! cmp -s package-lock.json "$stamp"; then
  echo "web: installing the npm packages of clients/web (500 MB, most of it ONNX Runtime's) ..." >&2
  npm ci --ignore-scripts --no-audit --no-fund >&2 # scripts would fetch ONNX Runtime's CUDA libraries, 200 MB
  cp package-lock.json "$stamp"
fi
