"""Options that the servers started from Python share with ``smoothserve serve``; needs none of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from smoothserve.handlers import devices
from smoothserve.handlers.errors import CardError

MODELS = """\
a MODEL is one of:
  NAME              the archive model_store/NAME.mar, from 'smoothserve archive': predictions have a
                    graph of their own, all its methods are there, its settings and limits hold
  PATH/NAME.mar     an archive elsewhere
  PATH/NAME.onnx    a file from 'smoothserve export': one method, and a prediction costs an explanation
  OTHER=PATH        any of the files under another name
"""
Parser = argparse.ArgumentParser | argparse._ArgumentGroup
HOST, PORT = "127.0.0.1", 8080
NAMES = ("host", "port", "batch_size", "max_batch_delay", "threads", "device", "records")


def add_server_options(parser: argparse.ArgumentParser, title: str) -> None:
    """Where to listen, and how to run. What is left out is None."""
    group = parser.add_argument_group(title)
    group.add_argument(
        "--host", metavar="ADDRESS",
        help=f"listen there; 0.0.0.0: every interface, for containers (default: {HOST}, this machine alone)",
    )  # fmt: skip
    group.add_argument("--port", type=port, metavar="N", help=f"of HTTP (default {PORT})")
    group.add_argument(
        "--batch-size", type=whole(1), metavar="N",
        help="most requests that are run together (default: the archive's, or 1)",
    )  # fmt: skip
    group.add_argument(
        "--max-batch-delay", type=whole(0), metavar="MS",
        help="wait so long for a batch to fill (default: the archive's, or 10; only if batches are larger "
        "than 1)",
    )  # fmt: skip
    group.add_argument(
        "--threads", type=whole(1), metavar="N",
        help="of each ONNX Runtime session (default: KServe: the archive's, or as many as cores; Ray: half "
        "of the cores)",
    )  # fmt: skip
    add_device(group, None, "the archive's, or auto")
    group.add_argument(
        "--records", type=Path, metavar="FOLDER",
        help="keep a record there of each explanation, for 'smoothserve replay' (default: "
        "$SMOOTHSERVE_RECORDS, or the archive's, or none)",
    )  # fmt: skip


def add_store(parser: argparse.ArgumentParser) -> None:
    """``--store``, where archives are looked for by name."""
    parser.add_argument(
        "--store", type=Path, default=Path("model_store"), metavar="DIR",
        help="folder of the archives that are given by name (default: model_store)",
    )  # fmt: skip


def add_device(parser: Parser, default: str | None = "auto", otherwise: str | None = None) -> None:
    """``--device``; ``otherwise`` says what is taken where ``default`` is None."""
    parser.add_argument(
        "--device", type=_device, default=default, metavar="DEVICE",
        help=f"{devices.HELP} (default: {otherwise or default})",
    )  # fmt: skip


def _device(text: str) -> str:
    try:
        return str(devices.Device.parse(text))
    except CardError as error:
        raise argparse.ArgumentTypeError(f"{text!r}, expected {devices.EXPECTED}") from error


def given(arguments: argparse.Namespace, names: Iterable[str]) -> dict[str, str]:
    """Those options that were given, as they stand on a command line."""
    values = {name: getattr(arguments, name) for name in names}
    return {f"--{name.replace('_', '-')}": str(value) for name, value in values.items() if value is not None}


def port(text: str) -> int:
    """A port, from text.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a port from 1 to 65535")
    return int(text)


def whole(low: int) -> Callable[[str], int]:
    """What reads a whole number from ``low``; it raises argparse.ArgumentTypeError."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"{text!r}, expected a whole number from {low}")
        return int(text)

    return read
