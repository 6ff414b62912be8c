#!/usr/bin/env bash
# Shows the package's folders, which stand at the top level, under their import names: for tools that read sources.
#
# usage: scripts/view.sh FOLDER      makes FOLDER/smoothserve, of links
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
view=${1:?usage: scripts/view.sh FOLDER}/smoothserve
mkdir -p "$view"
for folder in bulk explainers export evaluation experiments handlers cli; do
  ln -sfn "$here/$folder" "$view/$folder"
done
ln -sfn "$here/clients/web" "$view/web"
for file in "$here"/api/*; do
  [ -d "$file" ] || ln -sfn "$file" "$view/$(basename "$file")"
done
