"""smoothserve replay: recorded explanations are computed again, or their records checked."""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt
from smoothserve.export import require
from smoothserve.handlers.arguments import add_device

from ..errors import UsageError
from ..files import check_exported
from ..progress import note, step

if TYPE_CHECKING:
    from smoothserve.handlers.records.chain import Checked
    from smoothserve.handlers.records.find import Found
    from smoothserve.handlers.replay import Replayed
    from smoothserve.handlers.service import ExplanationService

NAME = "replay"
HELP = "compute recorded explanations again, or check that records are unchanged"
DESCRIPTION = """\
Compute an explanation again that a server recorded ('--records FOLDER' of archive and serve), and say whether
it is identical, bit for bit, or how far off. Photo and model must be those of the record, by their SHA-256.
Another processor or another version of ONNX Runtime rounds differently: within the tolerance of an archive's
self-check (probability 1e-3; heatmap, as 8 x 8 means, relative L2 0.1) it is 'close', else it 'differs'.

RECORD is FILE.jsonl:LINE; or a file or a folder, of which every record of the photo is computed again.

--check reads records instead: was a line changed, removed, inserted or moved? It prints a line for each file,
with the hash of the last one. Lines cut off at the end show only if you kept that hash elsewhere."""
EXAMPLES = """\
examples:
  smoothserve replay records/ cat.jpg --model model_store/cats.mar
  smoothserve replay records/cats-71-20260105T101500.000000Z-0001.jsonl:17 cat.jpg --model cats.onnx
  smoothserve replay --check records/

exit status: 0 identical or close, all lines fit; 1 it differs, or a line does not fit
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", nargs="?", metavar="RECORD", help="see above")
    parser.add_argument("photo", nargs="?", type=Path, metavar="PHOTO", help="the file that was sent")
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help="the .onnx or .mar file that explained it"
    )  # fmt: skip
    add_device(parser)
    parser.add_argument("--check", type=Path, metavar="FILE|FOLDER", help="check records, replay nothing")


def run(arguments: argparse.Namespace) -> int:
    if arguments.check is not None:
        if arguments.record is not None or arguments.model is not None:
            raise UsageError("--check takes one file or folder of records, and neither PHOTO nor --model.")
        return _check(arguments.check)
    if arguments.photo is None or arguments.model is None:
        raise UsageError(
            "Expected RECORD PHOTO --model FILE, to compute an explanation again; or --check FILE|FOLDER."
        )
    return _replay(arguments.record, arguments.photo, arguments.model, arguments.device)


def _check(path: Path) -> int:
    require("onnxruntime", "cpu", "The handlers")
    from smoothserve.handlers.records.chain import check

    checked = list(check(path))
    for each in checked:
        print(_line(each))
    return 1 if any(each.problem for each in checked) else 0


def _line(checked: Checked) -> str:
    dropped = f", {checked.dropped} dropped" if checked.dropped else ""
    last = f"; last line {checked.last.number}: {checked.last.hash}" if checked.last else ""
    notes = "".join(f"; {each}" for each in checked.notes)
    if checked.problem:
        return f"BAD {checked.path}: {checked.problem}{notes}"
    return f"ok  {checked.path}: {checked.records} explanations{dropped}{last}{notes}"


def _replay(given: str, path: Path, model: Path, device: str) -> int:
    require("onnxruntime", "cpu", "Explaining runs the file in ONNX Runtime, which")
    from smoothserve.handlers.records.find import find
    from smoothserve.handlers.records.record import told

    photos = {told(photo)["sha256"]: photo for photo in _photos(path)}
    found = find(given, set(photos))
    worst = 0
    with _services(model, device) as services:
        for each in found:
            photo = photos.get(each.record.photo["sha256"])
            if photo is None:
                raise UsageError(
                    f"{path} is another photo: its SHA-256 is {next(iter(photos))}, that of {each} is "
                    f"{each.record.photo['sha256']}."
                )
            worst = max(worst, _compare(each, photo, _service(each, model, services)))
    return worst


def _photos(path: Path) -> Iterator[bytes | npt.NDArray[np.float32]]:
    """What may have been sent: the file's bytes, or the array in it."""
    if not path.is_file():
        raise UsageError(f"{path}: the photo does not exist.")
    content = path.read_bytes()
    yield content
    if path.suffix == ".npy":
        try:
            yield np.load(io.BytesIO(content), allow_pickle=False).astype(np.float32)
        except ValueError as error:
            raise UsageError(f"{path} is no .npy file: {error}") from error


@contextmanager
def _services(model: Path, device: str) -> Iterator[dict[Path, Callable[[], ExplanationService]]]:
    """For each explanation graph of a file or an archive, what loads it once."""
    from smoothserve.handlers.limits import Limits
    from smoothserve.handlers.service import ExplanationService

    limits = Limits(pixels=10**12, seconds=3600.0)  # whatever the server's were
    with _graphs(model) as graphs:
        yield {
            graph: cache(partial(ExplanationService, [graph], device=device, limits=limits))
            for graph in graphs
        }


@contextmanager
def _graphs(model: Path) -> Iterator[list[Path]]:
    """The explanation graphs of a file or an archive."""
    check_exported(model)
    if model.suffix != ".mar":
        yield [model]
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            with step(f"unpacking {model}"), ZipFile(model) as archive:
                archive.extractall(folder)
        except BadZipFile as error:
            raise UsageError(f"{model} is no archive of 'smoothserve archive': {error}.") from error
        graphs = sorted(Path(folder).glob("explanation-*.onnx"))
        if not graphs:
            raise UsageError(
                f"{model} is no archive of 'smoothserve archive': it holds no explanation graph."
            )
        yield graphs


def _service(
    found: Found, model: Path, services: Mapping[Path, Callable[[], ExplanationService]]
) -> ExplanationService:
    """Of the graph that the record names."""
    from smoothserve.handlers.records.source import ModelFile

    wanted = found.record.source.model
    for graph, load in services.items():
        if ModelFile.of(graph).same_content(wanted):
            return load()
    raise UsageError(
        f"{model} is another model: {found} was made with {wanted.file}, SHA-256 {wanted.sha256}. Give the "
        "file or the archive that was served."
    )


def _compare(found: Found, photo: bytes | npt.NDArray[np.float32], service: ExplanationService) -> int:
    """Print what is the same; returns 1 if it differs."""
    from smoothserve.handlers.replay import replay

    replayed = replay(found.record, photo, service)
    for each in replayed:
        told = f"{each.explained.label} ({each.explained.number}) by {found.record.method['name']}"
        print(f"{_verdict(each):9}  {found}: {told}{_how_far(each, found.record.reports)}")
    if not all(each.identical for each in replayed):
        _say_what_changed(found, service)
    return 0 if all(each.identical or each.close for each in replayed) else 1


def _verdict(replayed: Replayed) -> str:
    if replayed.identical:
        return "identical"
    return "close" if replayed.close else "differs"


def _how_far(replayed: Replayed, reports: str) -> str:
    from smoothserve.handlers.selfcheck import HEATMAP, PROBABILITIES

    if replayed.identical:
        return f", {reports} {replayed.explained.score:.6g}"
    return (
        f"; {reports} is off by {replayed.score:.1e} (tolerance {PROBABILITIES:.0e}), the heatmap's means by "
        f"{replayed.cell:.1e} at most, relative L2 {replayed.distance:.1e} (tolerance {HEATMAP:.0e})"
    )


def _say_what_changed(found: Found, service: ExplanationService) -> None:
    from smoothserve.handlers.records.source import Source

    then = found.record.source.runtime
    now = Source.of(next(iter(service.graphs.values()))).runtime
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            note(f"{name}: {then.get(name, 'none')} then, {now.get(name, 'none')} now")
