""".onnx -> .mar: the graphs, the handler, and TorchServe's settings."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from smoothserve import handlers
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.torchserve.registration import SUFFIX

from .errors import ArchiveError, require

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-.]*")
_SETTINGS = """\
# How TorchServe runs this archive; see docs/how-to/serve.md.
minWorkers: {workers}
maxWorkers: {workers}
batchSize: {batch_size}
maxBatchDelay: {max_batch_delay}   # ms; a lone request waits that long if batchSize > 1
responseTimeout: {timeout}   # s, for a whole batch: twice limits.seconds, for decoding and encoding
startupTimeout: 120   # s
deviceType: {kind}
smoothserve:
  methods: [{methods}]   # the first is the default
  graphs: [{graphs}]   # explanation-NAME.onnx, which may have several methods
  threads: {threads}   # of each ONNX Runtime session; null: as many as cores
  device: {device}   # auto, cpu or cuda
  limits: {{{limits}}}   # body_bytes, pixels, instances, response_bytes, seconds, side, batch
  records: {records}   # folder for records of explanations; null: none
"""


def to_archive(
    onnx_paths: str | Path | Sequence[str | Path],
    name: str,
    *,
    store: str | Path = "model_store",
    version: str = "1.0",
    workers: int = 1,
    batch_size: int = 1,
    max_batch_delay: int = 10,
    threads: int | None = None,
    device: str = "auto",
    limits: Mapping[str, float] | None = None,
    records: str | Path | None = None,
) -> Path:
    """Build ``store/name.mar`` around one or several explanation files of one classifier.

    The archive holds each explanation graph, the plain prediction graph cut out of the first (so that
    ``/predictions`` never pays for an explanation), their shared weights, the answers to a parity image
    that every worker must reproduce before it serves, and the handler. The serving host needs
    torchserve, onnxruntime, numpy and pillow; no smoothserve, no captum.

    Args:
        onnx_paths: files that :func:`smoothserve.export.to_onnx` wrote, with different methods; the first is
            the default.
        name: of the model in TorchServe: letters, digits, ``_ - .``.
        store: folder of the archive, made if missing. An older archive is replaced at the end only.
        version: of the model in TorchServe.
        workers: processes that serve the model.
        batch_size: most requests in one batch.
        max_batch_delay: milliseconds that TorchServe waits for a batch to fill.
        threads: of each ONNX Runtime session; None: as many as cores.
        device: as :meth:`smoothserve.handlers.devices.Device.parse` reads it, such as auto, cpu or cuda.
        limits: of requests, by the names of :class:`smoothserve.handlers.limits.Limits`.
        records: folder of the serving host, an absolute path, where each explanation is recorded; None: none
            are.

    Raises:
        CardError: there is no such limit or device.
        ArchiveError: a wrong name, no explanation model, files that don't belong together, a relative path
            for records, or the archiver failed.
        MissingDependencyError: ONNX Runtime or torch-model-archiver is not installed.
    """
    check_name(name)
    bounds = Limits.from_settings(limits or {})
    if records is not None and not Path(records).is_absolute():
        raise ArchiveError(
            f"records={str(records)!r}, expected an absolute path: workers run in folders of their own."
        )
    require("onnxruntime", "cpu", "onnxruntime")
    require("model_archiver", "serve", "torch-model-archiver")
    from smoothserve.handlers.devices import Device

    from .packing import write_graphs

    gpu = Device.parse(device).is_gpu
    paths = [onnx_paths] if isinstance(onnx_paths, (str, Path)) else list(onnx_paths)
    store = Path(store)
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".archive-", dir=store) as scratch:
        content = Path(scratch) / "content"
        content.mkdir()
        methods = write_graphs([Path(path) for path in paths], content)
        package = content / "smoothserve" / "handlers"
        sources = Path(handlers.__file__).parent
        shutil.copytree(sources, package, ignore=shutil.ignore_patterns("__pycache__"))
        config = Path(scratch) / "model-config.yaml"
        config.write_text(
            _SETTINGS.format(
                workers=workers,
                batch_size=batch_size,
                max_batch_delay=max_batch_delay,
                methods=", ".join(method for own in methods for method in own),
                graphs=", ".join(first for first, *_ in methods),
                threads="null" if threads is None else threads,
                device=device,
                kind="gpu" if gpu else "cpu",
                limits=", ".join(f"{key}: {value}" for key, value in (limits or {}).items()),
                records=json.dumps(None if records is None else str(records)),  # which is YAML, too
                timeout=math.ceil(2 * bounds.seconds),
            )
        )
        _pack(name, version, package / "torchserve" / "handler.py", content, config, Path(scratch))
        target = store / f"{name}.mar"
        (Path(scratch) / f"{name}.mar").replace(target)
    return target


def check_name(name: str) -> None:
    """Raise ArchiveError unless TorchServe accepts ``name`` for a model."""
    if not _NAME.fullmatch(name):
        raise ArchiveError(
            f"name={name!r}, expected letters, digits, '_', '-' and '.', beginning with a letter or digit."
        )
    if name.endswith(SUFFIX):
        raise ArchiveError(
            f"name={name!r} ends in {SUFFIX!r}, "
            "which scripts/serve.sh adds to the registration for explanations."
        )


def _pack(name: str, version: str, handler: Path, content: Path, config: Path, scratch: Path) -> None:
    # The archiver deletes $TMPDIR/<name> before it starts, so it gets a TMPDIR of its own.
    temporary = scratch / "tmp"
    temporary.mkdir()
    command = [
        sys.executable, "-m", "model_archiver.model_packaging",
        "--model-name", name, "--version", version, "--handler", str(handler),
        "--extra-files", str(content), "--config-file", str(config), "--export-path", str(scratch),
    ]  # fmt: skip
    done = subprocess.run(
        command, env={**os.environ, "TMPDIR": str(temporary)}, capture_output=True, text=True
    )
    if done.returncode != 0 or not (scratch / f"{name}.mar").is_file():
        output = (done.stderr + done.stdout).strip().splitlines()
        raise ArchiveError(f"torch-model-archiver failed: {output[-1] if output else done.returncode}")
