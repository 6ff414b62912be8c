"""What an explanation comes from, once for each graph: the model's file, the runtime, the processor."""

from __future__ import annotations

import mmap
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..errors import CardError
from ..graph import Graph, Runnable

_LOCATION = re.compile(rb"\x0a\x08location\x12", re.DOTALL)  # of weights in another file, as ONNX stores it
_PIECE = 1 << 20  # bytes


@dataclass(frozen=True)
class ModelFile:
    """A model's file, told by its content.

    Attributes:
        file: its name.
        sha256: of the .onnx file, 64 hexadecimal digits.
        weights: name -> SHA-256 of the files beside it that hold its weights; most have none.
    """

    file: str
    sha256: str
    weights: Mapping[str, str]

    @classmethod
    def of(cls, path: Path) -> ModelFile:
        """Read the file and its weights; a second for about a gigabyte."""
        weights = {name: _digest(path.with_name(name)) for name in _weights(path)}
        return cls(path.name, _digest(path), weights)

    def same_content(self, other: ModelFile) -> bool:
        """Whether the two hold the same bytes, whatever they are called."""
        return (self.sha256, self.weights) == (other.sha256, other.weights)


@dataclass(frozen=True)
class Source:
    """Where explanations were computed.

    Attributes:
        model: the file.
        runtime: onnxruntime, its execution provider, the packages that make the input of a photo, smoothserve
            where it is installed, and the processor.
    """

    model: ModelFile
    runtime: Mapping[str, str]

    @classmethod
    def of(cls, graph: Runnable) -> Source:
        """Of a graph that this process runs.

        Raises:
            CardError: it runs elsewhere.
        """
        if not isinstance(graph, Graph):
            raise CardError("Records need the model's file, but this graph runs elsewhere.")
        packages = {name: found for name in ("numpy", "pillow", "smoothserve") if (found := _version(name))}
        return cls(ModelFile.of(graph.path), {**graph.runtime, **packages, "processor": _processor()})


def _digest(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _weights(path: Path) -> list[str]:
    """Names of the files that hold weights of the .onnx file; serving hosts have no package that reads it."""
    names = set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for found in _LOCATION.finditer(content):
            length, start = content[found.end()], found.end() + 1
            if length >= 128:  # two bytes hold any file's name
                length, start = length - 128 + 128 * content[start], start + 1
            names.add(content[start : start + length].decode(errors="replace"))
    return sorted(name for name in names if path.with_name(name).is_file())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    """Its model where Linux tells it, else its kind."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())
