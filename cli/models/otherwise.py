"""Files that are given as MODEL and are none: what they are, and what to write instead."""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path

from ..errors import UsageError

_WEIGHTS = (".pth", ".pt", ".ckpt", ".bin", ".safetensors", ".ts", ".torchscript")


def refuse(spec: str) -> None:
    """Raise UsageError where ``spec`` looks like a file that cannot be a MODEL; return where it does not."""
    path = Path(spec)
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        raise UsageError(
            f"{spec} is an ONNX file, and those cannot be rewritten yet: that comes later. Give the PyTorch "
            "model that it was exported from, such as path/to/file.py:factory."
        )
    if suffix == ".py":
        raise UsageError(f"{spec} holds code; say which function builds the model: {_functions(path)}.")
    if path.is_dir():
        raise UsageError(f"{spec} is a folder. {_folder(path)}")
    if suffix in _WEIGHTS:
        raise UsageError(f"{spec} {_weights(path)}")


def _functions(path: Path) -> str:
    """``nets.py:build``, for a few of the functions that the file defines."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return f"{path}:FUNCTION"
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    return " or ".join(f"{path}:{name}" for name in names[:3]) or f"{path}:FUNCTION"


def _folder(path: Path) -> str:
    if (path / "config.json").is_file():
        return f"With a model of transformers in it, as its config.json says: hf:{path}."
    return "A model of transformers in a folder (with config.json) is named hf:FOLDER."


def _weights(path: Path) -> str:
    """What the file is, after its name."""
    if not path.is_file():
        return "does not exist; and weights alone are no model: name the architecture, and --weights FILE."
    try:
        names = zipfile.ZipFile(path).namelist()
    except (OSError, zipfile.BadZipFile):
        names = []
    if any("/code/" in name for name in names):
        return (
            "is a TorchScript file, which torch.export does not read. Give the torch.nn.Module that it was "
            "scripted or traced from: path/to/file.py:factory."
        )
    if any("/models/" in name for name in names):
        return f"is a program of torch.export; give it a name that ends in .pt2: {path.with_suffix('.pt2')}."
    return (
        "holds weights, and weights alone are no model: name the architecture too, such as "
        f"torchvision:resnet50 --weights {path}. If it is a whole pickled model, let a function of yours "
        "return torch.load(..., weights_only=False): path/to/file.py:factory."
    )
