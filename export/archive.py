""".onnx -> .mar: both graphs sharing one weights file, the handler, and TorchServe's settings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import onnx
from smoothserve import handlers
from smoothserve.handlers.card import METADATA_KEY, Card

from .errors import ArchiveError, MissingDependencyError
from .verification import load_session

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-.]*")
_WEIGHTS = "weights.bin"
_SETTINGS = """\
# How TorchServe runs this archive; see docs of model-config.yaml.
minWorkers: {workers}
maxWorkers: {workers}
batchSize: {batch_size}
maxBatchDelay: {max_batch_delay}   # ms; a lone request waits that long if batchSize > 1
responseTimeout: 60   # s, for a whole batch
startupTimeout: 120   # s
deviceType: cpu
smoothserve:
  threads: {threads}   # of each ONNX Runtime session; null: as many as cores
"""


def to_archive(
    onnx_path: str | Path,
    name: str,
    *,
    store: str | Path = "model_store",
    version: str = "1.0",
    workers: int = 1,
    batch_size: int = 1,
    max_batch_delay: int = 10,
    threads: int | None = None,
) -> Path:
    """Build ``store/name.mar`` around an explanation file.

    The archive holds the explanation graph, the plain prediction graph cut out of it (so that
    ``/predictions`` never pays for an explanation), their shared weights, and the handler. The
    serving host needs torchserve, onnxruntime, numpy and pillow; no smoothserve, no captum.

    Args:
        onnx_path: a file that :func:`smoothserve.export.to_onnx` wrote.
        name: of the model in TorchServe: letters, digits, ``_ - .``.
        store: folder of the archive, made if missing. An older archive is replaced at the end only.
        version: of the model in TorchServe.
        workers: processes that serve the model.
        batch_size: most requests in one batch.
        max_batch_delay: milliseconds that TorchServe waits for a batch to fill.
        threads: of each ONNX Runtime session; None: as many as cores.

    Raises:
        ArchiveError: a wrong name, no explanation model, or the archiver failed.
        MissingDependencyError: torch-model-archiver is not installed.
    """
    check_name(name)
    if find_spec("model_archiver") is None:
        raise MissingDependencyError(
            "torch-model-archiver is not installed: pip install 'smoothserve[serve]'."
        )
    store = Path(store)
    store.mkdir(parents=True, exist_ok=True)
    settings = _SETTINGS.format(
        workers=workers,
        batch_size=batch_size,
        max_batch_delay=max_batch_delay,
        threads="null" if threads is None else threads,
    )
    with tempfile.TemporaryDirectory(prefix=".archive-", dir=store) as scratch:
        content = Path(scratch) / "content"
        content.mkdir()
        write_graphs(Path(onnx_path), content)
        package = content / "smoothserve" / "handlers"
        sources = Path(handlers.__file__).parent
        shutil.copytree(sources, package, ignore=shutil.ignore_patterns("__pycache__"))
        config = Path(scratch) / "model-config.yaml"
        config.write_text(settings)
        _pack(name, version, package / "torchserve_handler.py", content, config, Path(scratch))
        target = store / f"{name}.mar"
        (Path(scratch) / f"{name}.mar").replace(target)
    return target


def check_name(name: str) -> None:
    """Raise ArchiveError unless TorchServe accepts ``name`` for a model."""
    if not _NAME.fullmatch(name):
        raise ArchiveError(
            f"name={name!r}, expected letters, digits, '_', '-' and '.', beginning with a letter or digit."
        )


def write_graphs(onnx_path: Path, folder: Path) -> None:
    """Split a file into explanation.onnx, prediction.onnx and the weights that both refer to."""
    try:
        model = onnx.load(str(onnx_path))
    except Exception as error:
        raise ArchiveError(f"{onnx_path} cannot be read as an ONNX file: {error}") from error
    card = {prop.key: prop.value for prop in model.metadata_props}.get(METADATA_KEY)
    if card is None:
        raise ArchiveError(
            f"{onnx_path} is no explanation model (it has no card). Make one with 'smoothserve export'."
        )
    Card.from_json(card)
    explanation = folder / "explanation.onnx"
    onnx.save(
        model,
        str(explanation),
        save_as_external_data=True,
        location=_WEIGHTS,
        size_threshold=1024,
    )
    light = onnx.load(str(explanation), load_external_data=False)
    onnx.save(prediction_graph(light), str(folder / "prediction.onnx"))
    load_session(folder / "prediction.onnx")


def prediction_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """The part of an explanation graph that leads from image to logits."""
    producer = {output: node for node in model.graph.node for output in node.output}
    wanted, needed = ["logits"], set()
    while wanted:
        name = wanted.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in producer:
            wanted.extend(source for source in producer[name].input if source)
    nodes = [node for node in model.graph.node if any(output in needed for output in node.output)]
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:]
    result.graph.node.extend(nodes)
    for values in (result.graph.initializer, result.graph.input):
        kept = [value for value in values if value.name in needed]
        del values[:]
        values.extend(kept)
    outputs = [value for value in result.graph.output if value.name == "logits"]
    del result.graph.output[:]
    result.graph.output.extend(outputs)
    return result


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
