"""smoothserve triton: exported files in, a model repository for Triton out."""

from __future__ import annotations

import argparse
from pathlib import Path

from smoothserve.export import (
    REPOSITORY_COMMAND,
    REPOSITORY_FILE,
    TritonSettings,
    model_names,
    write_repository,
)

from ..arguments import natural, positive
from ..files import check_exported
from ..folders import check_folder, replacing
from ..limit_option import add_limit_option
from ..progress import step

NAME = "triton"
HELP = "make a model repository for NVIDIA's Triton from exported .onnx files"
DESCRIPTION = """\
Make a model repository for Triton Inference Server. Each file NAME.onnx becomes three models:

  NAME          the file as it is, in the ONNX backend: preprocessed images in, its outputs out
  NAME_photo    photos in; predictions, heatmap and overlay out; all in the Python backend
  NAME_explain  the same, while NAME runs the network, in batches of what all callers ask

The last two need onnxruntime, numpy and pillow where Triton runs, not smoothserve."""
EXAMPLES = """\
examples:
  smoothserve triton cats.onnx -o repository/
  smoothserve triton cats.onnx dogs.onnx -o repository/ --batch-size 8 --instances 2 --threads 2
  scripts/triton.sh repository/            # serves it on loopback; repository/README.md says how to ask
"""
_DEFAULT = TritonSettings()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models", type=Path, nargs="+", metavar="MODEL.onnx",
        help="from 'smoothserve export'; the file's name becomes the model's",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("repository"), metavar="DIR",
        help="the folder to make; one that this command made is replaced (default: repository)",
    )  # fmt: skip
    group = parser.add_argument_group("how Triton runs the models")
    group.add_argument(
        "--batch-size", type=positive, default=_DEFAULT.batch_size, metavar="N",
        help=f"most images in one batch (default {_DEFAULT.batch_size})",
    )  # fmt: skip
    group.add_argument(
        "--max-batch-delay", type=natural, default=_DEFAULT.max_batch_delay, metavar="MS",
        help=f"wait for a batch to fill (default {_DEFAULT.max_batch_delay})",
    )  # fmt: skip
    group.add_argument(
        "--instances", type=positive, default=_DEFAULT.instances, metavar="N",
        help=f"copies of each network that answer side by side (default {_DEFAULT.instances})",
    )  # fmt: skip
    group.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default=_DEFAULT.device,
        help="where the networks run; auto takes a GPU where the server has one (default: auto)",
    )  # fmt: skip
    group.add_argument(
        "--threads", type=positive, metavar="N", help="of each copy (default: as many as cores)"
    )
    add_limit_option(group)
    group.add_argument(
        "--records", metavar="FOLDER",
        help="of the serving host, an absolute path: NAME_photo keeps a record there of each explanation, "
        "for 'smoothserve replay' (default: none; SMOOTHSERVE_RECORDS of Triton's environment comes first)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    check_folder(arguments.output, REPOSITORY_COMMAND, REPOSITORY_FILE)
    for path in arguments.models:
        check_exported(path)
    model_names(arguments.models)  # refuses two of the same name before anything is verified
    settings = TritonSettings(
        batch_size=arguments.batch_size,
        max_batch_delay=arguments.max_batch_delay,
        instances=arguments.instances,
        device=arguments.device,
        threads=arguments.threads,
        limits=dict(arguments.limit),
        records=arguments.records,
    )
    with step(f"writing {arguments.output}"), replacing(arguments.output) as draft:
        write_repository(arguments.models, draft, settings)
    print(arguments.output)
    return 0
