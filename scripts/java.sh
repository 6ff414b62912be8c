#!/usr/bin/env bash
# Makes sure that Java, which TorchServe needs, is there: exit 0 if so; else installs it or says how.
set -euo pipefail

if java -version >/dev/null 2>&1; then
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "java: installing default-jre-headless ..." >&2
  apt-get update -qq >&2 && apt-get install -y -qq --no-install-recommends default-jre-headless >&2 && exit 0
fi
echo "java: TorchServe needs Java 11 or newer. Install it, for example:" >&2
echo "  Debian, Ubuntu:  sudo apt-get install default-jre-headless" >&2
echo "  Fedora:          sudo dnf install java-17-openjdk-headless" >&2
echo "  macOS:           brew install openjdk@17" >&2
exit 1
