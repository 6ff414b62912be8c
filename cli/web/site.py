"""A folder that any web server serves: the page, the module, ONNX Runtime, the models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from smoothserve.handlers.card import Card

from ..folders import check_folder, replacing

COMMAND = "smoothserve web"
LISTED = "models.json"  # what the page reads first; it also says that the folder was made here
_HEADERS = """\
# For hosts that read this file (Netlify, Cloudflare Pages); elsewhere the server's configuration has them:
# with both a page may use several threads.
/*
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
"""


@dataclass(frozen=True)
class SiteModel:
    """One model of a site.

    Attributes:
        path: of the file to copy.
        card: of it.
        name: of the file in the site, without its suffix.
        weights: how its weights are stored.
        difference: in words, from the same with float32 weights; None where they are.
    """

    path: Path
    card: Card
    name: str
    weights: str = "float32"
    difference: str | None = None


def check_output(output: Path) -> None:
    """Raise UsageError if ``output`` is something that a site must not replace."""
    check_folder(output, COMMAND, LISTED)


def write_site(models: Sequence[SiteModel], runtime: Mapping[str, Path], output: Path) -> None:
    """Make or replace the folder ``output``; written aside, then renamed, so a failure leaves the old one.

    Args:
        models: the first one is the page's default.
        runtime: files of ONNX Runtime by name.
        output: see :func:`check_output`.
    """
    check_output(output)
    with replacing(output) as draft:
        _fill(draft, models, runtime)


def _fill(folder: Path, models: Sequence[SiteModel], runtime: Mapping[str, Path]) -> None:
    ours = Path(str(files("smoothserve.web")))
    shutil.copytree(ours / "page", folder, dirs_exist_ok=True)
    module = {path.name: path for path in (ours / "src").glob("*.js") if path.name != "node.js"}
    _copy(module, folder / "smoothserve")
    _copy(runtime, folder / "ort")
    photos = sorted(Path(str(files("smoothserve.cli"))).glob("photos_to_try/*.jpg"))
    _copy({path.name: path for path in photos}, folder / "photos")
    names = _file_names(models)
    _copy({name: model.path for name, model in zip(names, models, strict=True)}, folder / "models")
    listed = [
        {
            "file": f"models/{name}",
            "name": model.card.name,
            "method": model.card.method["name"],
            "weights": model.weights,
            "difference": model.difference,
            "bytes": model.path.stat().st_size,
        }
        for name, model in zip(names, models, strict=True)
    ]
    facts = {"made_by": COMMAND, "models": listed, "photos": [f"photos/{path.name}" for path in photos]}
    (folder / LISTED).write_text(json.dumps(facts, indent=1) + "\n")
    (folder / "_headers").write_text(_HEADERS)


def _copy(sources: Mapping[str, Path], folder: Path) -> None:
    folder.mkdir()
    for name, source in sources.items():
        shutil.copyfile(source, folder / name)  # not its permissions: whoever serves the folder must read it


def _file_names(models: Sequence[SiteModel]) -> list[str]:
    """A name for each file, which stay apart where several are called the same."""
    names: list[str] = []
    for model in models:
        stem, count = model.name, 1
        while (name := f"{stem}.onnx" if count == 1 else f"{stem}-{count}.onnx") in names:
            count += 1
        names.append(name)
    return names
