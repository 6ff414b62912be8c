"""A model repository for Triton: each exported file as three models, which share nothing but the file."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from smoothserve import handlers
from smoothserve.handlers.card import Card

from ..checks.contract import check_contract
from ..errors import ArchiveError, require
from ..weights import weight_files
from .config import TritonSettings, network_config, photo_config
from .readme import readme

PHOTO, EXPLAIN = "_photo", "_explain"  # behind the network's name: models that take photos
COMMAND = "smoothserve triton"  # which makes repositories
LISTED = "smoothserve.json"  # what a folder has that was made here
VERSION = "1"
_PACKAGE = '"""The part of smoothserve that answers requests, as it was when this repository was made."""\n'
_MODEL = '''\
"""What Triton loads; the code is in smoothserve/, beside this file."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from smoothserve.handlers.triton.model import PhotoModel as TritonPythonModel
'''


def write_repository(paths: Sequence[Path], folder: Path, settings: TritonSettings) -> None:
    """Fill ``folder``, which is new, with three models for each file.

    ``NAME`` is the file as it is, for Triton's ONNX backend. ``NAME_photo`` takes photos, and runs the
    network in Triton's Python backend. ``NAME_explain`` takes photos, too, and lets ``NAME`` run the network.
    A host of the last two needs onnxruntime, numpy and pillow for Triton's Python; no smoothserve.

    Args:
        paths: files that :func:`smoothserve.export.to_onnx` wrote.
        folder: see above.
        settings: of all models.

    Raises:
        ArchiveError: two models would have the same name, or a file does not run.
        VerificationError: a file breaks its contract.
        MissingDependencyError: ONNX Runtime is not installed.
    """
    require("onnxruntime", "cpu", "onnxruntime")
    names = model_names(paths)
    folder.mkdir(exist_ok=True)
    cards = [check_contract(path).card for path in paths]
    for name, path, card in zip(names, paths, cards, strict=True):
        _write_network(folder / name, path, card, settings)
        _write_photo(folder / (name + PHOTO), path, card, settings)
        _write_explain(folder / (name + EXPLAIN), name, card, settings)
    listed = [
        {"network": name, "photo": name + PHOTO, "explain": name + EXPLAIN, "method": card.method["name"]}
        for name, card in zip(names, cards, strict=True)
    ]
    (folder / LISTED).write_text(json.dumps({"made_by": COMMAND, "models": listed}, indent=1) + "\n")
    (folder / "README.md").write_text(readme(dict(zip(names, cards, strict=True))))


def model_names(paths: Sequence[Path]) -> list[str]:
    """The name of each file's network on the server: its own, with ``-`` for what a URL would not take.

    Raises:
        ArchiveError: two models would have the same name.
    """
    names = [re.sub(r"[^A-Za-z0-9_.-]+", "-", path.stem).strip("-.") or "model" for path in paths]
    taken: dict[str, Path] = {}
    for path, name in zip(paths, names, strict=True):
        for model in (name, name + PHOTO, name + EXPLAIN):
            if model in taken:
                raise ArchiveError(
                    f"{taken[model]} and {path} would both make a model named {model!r}; rename one of them."
                )
            taken[model] = path
    return names


def _write_network(folder: Path, path: Path, card: Card, settings: TritonSettings) -> None:
    version = folder / VERSION
    version.mkdir(parents=True)
    shutil.copyfile(path, version / "model.onnx")
    for name in weight_files(path):
        shutil.copyfile(path.parent / name, version / name)
    if card.labels:
        lines = "".join(f"{' '.join(label.split())}\n" for label in card.labels)
        (folder / "labels.txt").write_text(lines, encoding="utf-8")
    config = network_config(folder.name, path, card.labels is not None, settings)
    (folder / "config.pbtxt").write_text(config)


def _write_photo(folder: Path, path: Path, card: Card, settings: TritonSettings) -> None:
    from ..packing import write_graphs

    _write_model(folder)
    write_graphs([path], folder / VERSION)
    (folder / "config.pbtxt").write_text(photo_config(folder.name, _heatmap(card), None, settings))


def _write_explain(folder: Path, network: str, card: Card, settings: TritonSettings) -> None:
    _write_model(folder)
    (folder / VERSION / "card.json").write_text(card.to_json(), encoding="utf-8")
    (folder / "config.pbtxt").write_text(photo_config(folder.name, _heatmap(card), network, settings))


def _write_model(folder: Path) -> None:
    """The Python of a model, which is the same for all; where the network runs is the configuration's."""
    version = folder / VERSION
    package = version / "smoothserve"
    package.mkdir(parents=True)
    (version / "model.py").write_text(_MODEL)
    (package / "__init__.py").write_text(_PACKAGE)  # so that it hides one that may be installed
    without = shutil.ignore_patterns("__pycache__", "kserve", "torchserve")
    shutil.copytree(Path(handlers.__file__).parent, package / "handlers", ignore=without)


def _heatmap(card: Card) -> list[int]:
    """Shape of one image's."""
    return [*([card.top_k] if card.top_k > 1 else []), *card.image_shape[1:]]
