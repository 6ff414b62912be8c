"""smoothserve archive: a model or an .onnx in, a TorchServe archive out."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from smoothserve.handlers.arguments import add_device

from ..arguments import positive
from ..errors import UsageError
from ..exporting import add_export_options, export_files, given_export_flags
from ..limit_option import add_limit_option
from ..method_options import MethodOptions
from ..models import HELP as MODEL_HELP
from ..progress import note, step

NAME = "archive"
HELP = "build a TorchServe archive (.mar) from a model or an exported .onnx"
DESCRIPTION = f"""\
Pack the explanation graph, the plain prediction graph and the handler for TorchServe. The serving
host needs torchserve, onnxruntime, numpy and pillow, not smoothserve.

MODEL may be an .onnx file from 'smoothserve export', or a model that is exported first:
{MODEL_HELP}"""
EXAMPLES = """\
examples:
  smoothserve archive model.onnx cats
  smoothserve archive torchvision:resnet50 resnet --weights resnet50.pth --also gradient
  smoothserve archive smoothdiff.onnx cats --also smoothgrad.onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="see above")
    parser.add_argument("name", metavar="NAME", help="of the model in TorchServe, and of the .mar file")
    group = parser.add_argument_group("the archive")
    group.add_argument(
        "--also", action="append", default=[], metavar="METHOD|FILE.onnx",
        help="offer another method, too (repeatable): a name, with that method's defaults; or, if MODEL is "
        "an .onnx file, another one of the same classifier. Requests choose by 'method'",
    )  # fmt: skip
    group.add_argument(
        "--store", type=Path, default=Path("model_store"), metavar="DIR", help="default: model_store"
    )
    group.add_argument("--model-version", default="1.0", metavar="V", help="default: 1.0")
    group.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="server processes (default 1)"
    )
    group.add_argument(
        "--batch-size", type=positive, default=1, metavar="N", help="most requests in one batch (default 1)"
    )
    group.add_argument(
        "--max-batch-delay",
        type=int,
        default=10,
        metavar="MS",
        help="wait for a batch to fill (default 10; only if --batch-size > 1)",
    )
    group.add_argument(
        "--threads",
        type=positive,
        metavar="N",
        help="of each ONNX Runtime session (default: as many as cores)",
    )
    add_device(group)
    add_limit_option(group)
    group.add_argument(
        "--records", metavar="FOLDER",
        help="of the serving host, an absolute path: keep a record there of each explanation, for "
        "'smoothserve replay' (default: none; SMOOTHSERVE_RECORDS of the server's environment comes first)",
    )  # fmt: skip
    add_export_options(parser)


def run(arguments: argparse.Namespace) -> int:
    from smoothserve.export import check_name, to_archive

    check_name(arguments.name)
    with tempfile.TemporaryDirectory() as folder:
        exported = arguments.model.endswith(".onnx")
        paths = _given_files(arguments) if exported else _new_files(arguments, Path(folder))
        with step(f"packing {arguments.name}.mar"):
            archive = to_archive(
                paths,
                arguments.name,
                store=arguments.store,
                version=arguments.model_version,
                workers=arguments.workers,
                batch_size=arguments.batch_size,
                max_batch_delay=arguments.max_batch_delay,
                threads=arguments.threads,
                device=arguments.device,
                limits=dict(arguments.limit),
                records=arguments.records,
            )
    print(archive)
    return 0


def _given_files(arguments: argparse.Namespace) -> list[Path]:
    """The .onnx files that the command line names, checked."""
    from smoothserve.export import check_contract

    flags = given_export_flags(arguments)
    if flags:  # they would be ignored, so they are mistakes
        raise UsageError(
            f"{arguments.model} is exported already, so options of model and method "
            f"(here: {', '.join(flags)}) have no effect. "
            "Leave them out, or name a model instead of the .onnx file."
        )
    paths = [Path(arguments.model), *map(Path, arguments.also)]
    for path in paths:
        if not path.is_file():
            raise UsageError(f"{path} does not exist (next to an .onnx file, --also takes .onnx files).")
    for path in paths:
        with step(f"verifying {path}"):
            contract = check_contract(path)
        note(f"photo -> input: {contract.card.preprocessing}")
    return paths


def _new_files(arguments: argparse.Namespace, folder: Path) -> list[Path]:
    """The model that the command line names, exported with each method."""
    methods = [
        MethodOptions.from_arguments(arguments),
        *map(MethodOptions.with_defaults, arguments.also),
    ]
    files = {folder / f"{index}.onnx": method for index, method in enumerate(methods)}
    export_files(arguments, files)
    return list(files)
