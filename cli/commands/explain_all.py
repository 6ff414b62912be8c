"""smoothserve explain-all: many photos in, a Parquet dataset of classes and heatmaps out."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from smoothserve.handlers.arguments import add_device
from smoothserve.handlers.devices import Device

from .. import words
from ..arguments import natural, positive
from ..errors import UsageError
from ..files import check_exported
from ..packages import require_for
from ..progress import counter, note, step

if TYPE_CHECKING:
    from smoothserve.bulk import Chunk, Job, Task

NAME = "explain-all"
HELP = "explain many photos into a Parquet dataset"
DESCRIPTION = """\
Explain a folder of photos, be they a million, with an exported file: a row for each in a folder of
Parquet files, with path, SHA-256, class, label, probability, the best classes, and the heatmap. Stop
it anyhow and give the same command again: it goes on, no photo is lost, and none is there twice. What
is new in SOURCE by then is taken, too. A photo that cannot be read is a row with an error.

SOURCE is a folder (and the folders in it), a photo, a pattern, a list of paths (.txt, one a line), or
a Parquet file with a column of images."""
EXAMPLES = """\
examples:
  smoothserve explain-all photos/ --model model.onnx -o explained/
  smoothserve explain-all list.txt --model model.onnx -o explained/ --workers 8 --overlay pictures/
  smoothserve explain-all images.parquet --model model.onnx -o explained/ --column image
  smoothserve explain-all /shared/photos --model /shared/model.onnx -o /shared/explained --engine ray

and then, in Python:
  import pandas
  table = pandas.read_parquet("explained/")
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="see above")
    parser.add_argument("--model", type=Path, required=True, metavar="FILE", help="from 'smoothserve export'")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR",
        help="folder of the dataset: new, or of this job before",
    )  # fmt: skip
    parser.add_argument(
        "--target", metavar="CLASS", help="number or label of the class to explain in all photos"
    )
    parser.add_argument(
        "--top", type=positive, default=5, metavar="K", help="how many classes a row names (default 5)"
    )
    parser.add_argument(
        "--heatmap-size", type=natural, default=56, metavar="PX",
        help="shorter side of the heatmaps that are kept, as uint8 (default 56; 0: the network's own)",
    )  # fmt: skip
    parser.add_argument(
        "--overlay", type=Path, metavar="DIR", help="also write pictures there, as 'explain -o' does"
    )
    parser.add_argument(
        "--records", type=Path, metavar="DIR",
        help="also write a record of each explanation there, which 'smoothserve replay' computes again",
    )  # fmt: skip
    parser.add_argument(
        "--column", metavar="NAME", help="of images, in Parquet files (default: image, or the only one)"
    )
    parser.add_argument(
        "--chunk", type=positive, default=256, metavar="N",
        help="photos in a file of the dataset (default 256); a worker that dies loses what it did of one",
    )  # fmt: skip
    parser.add_argument(
        "--max-pixels", type=positive, default=50_000_000, metavar="N",
        help="of a photo; a larger one is a row with an error (default 50,000,000, which take 150 MB)",
    )  # fmt: skip
    group = parser.add_argument_group("what computes")
    group.add_argument(
        "--engine", choices=("processes", "ray"), default="processes",
        help="processes of this machine (default), or actors of Ray Data, which need the extra 'ray'",
    )  # fmt: skip
    group.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="how many (default: all cores, a thread each; one with a --device that is a GPU)",
    )
    group.add_argument(
        "--threads", type=positive, default=1, metavar="N", help="of ONNX Runtime in each (default 1)"
    )
    group.add_argument(
        "--batch", type=positive, default=1, metavar="N", help="photos in one run of the graph (default 1)"
    )
    add_device(group)
    group.add_argument(
        "--gpus", type=float, default=0, metavar="N", help="of each of Ray's actors (default 0)"
    )
    group.add_argument(
        "--address", metavar="ADDRESS",
        help="of a Ray cluster, such as auto or ray://head:10001 (default: one of this machine, which ends "
        "with the command)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    require_for("explaining many photos", "bulk", "onnxruntime", "pyarrow")
    if arguments.engine == "ray":
        require_for("--engine ray", "ray", "ray")
    elif arguments.address or arguments.gpus:
        raise UsageError("--address and --gpus are of Ray; give --engine ray, too.")
    check_exported(arguments.model)
    from smoothserve.bulk import Job

    task = _task(arguments)
    on_gpu = Device.parse(arguments.device).is_gpu
    workers = arguments.workers or (1 if on_gpu else max((os.cpu_count() or 1) // arguments.threads, 1))
    with Job(task) as job:
        _take(job, arguments)
        left = list(job.left())
        images, missing = job.images(), sum(chunk.images for chunk in left)
        if missing < images:
            note(f"{images - missing} of {images} images are done")
        try:
            failed = _explain(arguments, job, left, workers) if left else 0
        except KeyboardInterrupt:
            note("What is done is kept; the same command goes on.")
            raise
    if failed:
        note(f"{words.count(failed, 'image')} could not be explained; the column error says why")
    print(arguments.output)
    return 0


def _task(arguments: argparse.Namespace) -> Task:
    from smoothserve.bulk import Settings, Task, check, model_digest

    settings = Settings(
        model_digest(arguments.model),
        arguments.target,
        arguments.top,
        arguments.heatmap_size,
        arguments.chunk,
        arguments.max_pixels,
    )
    task = Task(
        str(arguments.model.absolute()),
        str(arguments.output.absolute()),
        settings,
        arguments.threads,
        arguments.batch,
        arguments.device,
        None if arguments.overlay is None else str(arguments.overlay.absolute()),
        None if arguments.records is None else str(arguments.records.absolute()),
    )
    with step(f"loading {arguments.model}"):
        card = check(task)
    note(f"photo -> input: {card.preprocessing}")
    return task


def _take(job: Job, arguments: argparse.Namespace) -> None:
    from smoothserve.bulk import found

    with step("looking for images") as show:
        job.take(found(arguments.sources, arguments.column), lambda count: show(f"{count} so far"))


def _explain(arguments: argparse.Namespace, job: Job, left: list[Chunk], workers: int) -> int:
    """How many images could not be explained; those that are left are, now."""
    from smoothserve.bulk import in_processes, on_ray, ray_session

    missing = sum(chunk.images for chunk in left)
    failed = 0
    with counter("explaining", missing) as count:
        if arguments.engine == "ray":
            with ray_session(arguments.address, workers * arguments.threads):
                for written in on_ray(job.task, left, workers, arguments.gpus):
                    failed += written.errors
                    for _ in range(written.images):
                        count()
        else:
            for written in in_processes(job.task, left, workers, count):
                failed += written.errors
    return failed
