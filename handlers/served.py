"""From what the command line names to services that answer: archives and .onnx files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


PREDICTIONS, EXPLANATIONS = "predictions", "explanations"


@dataclass(frozen=True)
class Served:
    """A service under a name.

    Attributes:
        name: of the model on the server.
        service: that answers.
        batch_size: of the largest batch of requests.
        max_batch_delay: seconds that a request waits for others.
        answers: file of the answers that the archive was packed with; None: a single .onnx file has none.
    """

    name: str
    service: ExplanationService
    batch_size: int = 1
    max_batch_delay: float = 0.01
    answers: Path | None = None

    def check(self) -> None:
        """Ask about the parity image.

        Raises:
            CardError: there is no answer, or another one than the archive was packed with.
        """
        if self.answers is None:
            selfcheck.record(self.service)
        else:
            selfcheck.check(self.service, self.answers)


@dataclass(frozen=True)
class Settings:
    """What the server says of a model; None: what the archive says, or the default.

    Attributes:
        batch_size: of the largest batch of requests.
        max_batch_delay: milliseconds that a request waits for others.
        threads: of each ONNX Runtime session.
        device: auto, cpu or cuda.
        limits: of requests, by the names of :class:`smoothserve.handlers.limits.Limits`; others stay as
            they are.
        records: folder for records of explanations.
    """

    batch_size: int | None = None
    max_batch_delay: int | None = None
    threads: int | None = None
    device: str | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    records: Path | None = None


@dataclass(frozen=True)
class Plan:
    """How a model is served, as far as it is known before its graphs are read.

    Attributes:
        batch_size: of the largest batch of requests.
        max_batch_delay: seconds that a request waits for others.
        limits: of a request.
        version: of the model; a single .onnx file's is 1.0.
    """

    batch_size: int
    max_batch_delay: float
    limits: Limits
    version: str = "1.0"


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


def plan(path: Path, settings: Settings) -> Plan:
    """How a model will be served.

    Args:
        path: of its archive or .onnx file.
        settings: of the server.

    Raises:
        CardError: the archive is none of smoothserve's, or a limit is wrong.
    """
    config, version = _config(path) if path.suffix == ".mar" else ({"smoothserve": {}}, "1.0")
    size, delay = settings.batch_size, settings.max_batch_delay
    return Plan(
        config.get("batchSize", 1) if size is None else size,
        (config.get("maxBatchDelay", 10) if delay is None else delay) / 1000,
        Limits.from_settings({**(config["smoothserve"].get("limits") or {}), **settings.limits}),
        version,
    )


def load(name: str, path: Path, settings: Settings, scratch: Path, kind: str | None = None) -> Served:
    """A model, checked and warm.

    Args:
        name: on the server.
        path: of its archive or .onnx file.
        settings: of the server.
        scratch: a folder for an archive's files, made here; they must stay while the model is served.
        kind: :data:`PREDICTIONS` or :data:`EXPLANATIONS`, to load no graph that the other needs alone; None:
            both are asked.

    Raises:
        CardError: the file is none of smoothserve's, this machine does not compute what the archive was
            packed with, or records cannot be kept where they should.
    """
    scratch.mkdir()
    planned = plan(path, settings)
    stated = None
    if path.suffix == ".mar":
        service = _from_archive(name, path, settings, planned.limits, scratch, kind)
        answers = scratch / selfcheck.FILE
        stated = _config(path)[0]["smoothserve"].get("records")
    else:
        service = ExplanationService(
            [path],
            threads=settings.threads,
            device=settings.device or "auto",
            limits=planned.limits,
            name=name,
        )
        answers = None
    served = Served(name, service, planned.batch_size, planned.max_batch_delay, answers)
    if answers is not None:
        served.check()
    selfcheck.warm_up(service)
    if service.graphs and (records := folder_of(stated, settings.records)):
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


def _config(path: Path) -> tuple[dict[str, Any], str]:
    """What an archive says of itself, and its version."""
    try:
        with ZipFile(path) as archive:
            config = yaml.safe_load(archive.read("model-config.yaml"))
            manifest = json.loads(archive.read("MAR-INF/MANIFEST.json"))
        if not isinstance(config["smoothserve"], dict):
            raise TypeError("no settings")
        return config, str(manifest["model"].get("modelVersion", "1.0"))
    except (BadZipFile, OSError, yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise CardError(f"{path} is no archive of 'smoothserve archive': {error!r}.") from error


def _from_archive(
    name: str, path: Path, settings: Settings, limits: Limits, scratch: Path, kind: str | None
) -> ExplanationService:
    try:
        with ZipFile(path) as archive:
            archive.extractall(scratch)
        own: Mapping[str, Any] = _config(path)[0]["smoothserve"]
        graphs = explanation_files(scratch, own)
        methods = own["methods"]
    except (BadZipFile, OSError, KeyError) as error:
        raise CardError(f"{path} is no archive of 'smoothserve archive': {error!r}.") from error
    return ExplanationService(
        [] if kind == PREDICTIONS else graphs,
        None if kind == EXPLANATIONS else scratch / PREDICTION,
        threads=settings.threads or own.get("threads"),
        device=settings.device or own.get("device", "auto"),
        limits=limits,
        name=name,
        elsewhere=methods,
    )
