"""From what the command line names to services that answer: archives and .onnx files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import yaml
from smoothserve.handlers import selfcheck
from smoothserve.handlers.contents import PREDICTION, explanation_files
from smoothserve.handlers.errors import CardError
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.records.recorder import folder_of, open_recorder
from smoothserve.handlers.service import ExplanationService

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-.]*")


@dataclass(frozen=True)
class Served:
    """A service under a name.

    Attributes:
        name: of the model on the server.
        service: that answers.
        batch_size: of the largest batch of requests.
        max_batch_delay: seconds that a request waits for others.
        records: folder for records of explanations that the archive names.
    """

    name: str
    service: ExplanationService
    batch_size: int = 1
    max_batch_delay: float = 0.01
    records: str | None = None


@dataclass(frozen=True)
class Settings:
    """What the command line says of all models; None: what the archive says, or the default."""

    batch_size: int | None = None
    max_batch_delay: int | None = None
    threads: int | None = None
    records: Path | None = None


def find(given: Sequence[str], store: Path) -> dict[str, Path]:
    """Names of models, and their files.

    Args:
        given: each a ``NAME``, a path that ends in .mar or .onnx, or ``NAME=PATH``.
        store: where archives are that are given by name.

    Raises:
        CardError: there is no such file, a name is none for a model, or two are the same.
    """
    found: dict[str, Path] = {}
    for name, path in (_name_and_path(each, store) for each in given):
        if name in found:
            raise CardError(f"Two models are called {name}; give one another name: OTHER={path}")
        found[name] = path
    return found


def load(name: str, path: Path, settings: Settings, scratch: Path) -> Served:
    """A model, checked and warm.

    Args:
        name: on the server.
        path: of its archive or .onnx file.
        settings: of the command line.
        scratch: a folder for an archive's files, made here; they must stay while the model is served.

    Raises:
        CardError: the file is none of smoothserve's, or this machine does not compute what the archive was
            packed with; or records cannot be kept where they should.
    """
    scratch.mkdir()
    served = (_from_archive if path.suffix == ".mar" else _from_file)(name, path, settings, scratch)
    service = served.service
    selfcheck.warm_up(service)
    if records := folder_of(served.records, settings.records):
        service.recorder = open_recorder(records, name, service.graphs)
    return served


def _name_and_path(given: str, store: Path) -> tuple[str, Path]:
    name, equals, text = given.partition("=")
    path = Path(text if equals else given)
    if path.suffix not in (".mar", ".onnx"):
        if equals or len(path.parts) > 1:
            raise CardError(f"{path} is neither an archive (.mar) nor an exported file (.onnx).")
        path = store / f"{given}.mar"
        if not path.is_file():
            raise CardError(f"{path} does not exist; make it with: smoothserve archive MODEL {given}")
    elif not path.is_file():
        raise CardError(f"{path} does not exist.")
    name = name if equals else path.stem
    if not _NAME.fullmatch(name):
        raise CardError(
            f"{name!r} is no name for a model: expected letters, digits, '_', '-' and '.', beginning with a "
            f"letter or digit. Give one in front: cats={path}"
        )
    return name, path


def _from_archive(name: str, path: Path, settings: Settings, scratch: Path) -> Served:
    try:
        with ZipFile(path) as archive:
            archive.extractall(scratch)
        config = yaml.safe_load((scratch / "model-config.yaml").read_text())
        own: Mapping[str, Any] = config["smoothserve"]
        graphs = explanation_files(scratch, own)
    except (BadZipFile, OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise CardError(f"{path} is no archive of 'smoothserve archive': {error!r}.") from error
    service = ExplanationService(
        graphs,
        scratch / PREDICTION,
        threads=settings.threads or own.get("threads"),
        device=own.get("device", "auto"),
        limits=Limits.from_settings(own.get("limits") or {}),
        name=name,
    )
    selfcheck.check(service, scratch / selfcheck.FILE)
    size, delay = settings.batch_size, settings.max_batch_delay
    return Served(
        name,
        service,
        config.get("batchSize", 1) if size is None else size,
        (config.get("maxBatchDelay", 10) if delay is None else delay) / 1000,
        own.get("records"),
    )


def _from_file(name: str, path: Path, settings: Settings, scratch: Path) -> Served:
    service = ExplanationService([path], threads=settings.threads, name=name)
    delay = 10 if settings.max_batch_delay is None else settings.max_batch_delay
    return Served(name, service, settings.batch_size or 1, delay / 1000)
