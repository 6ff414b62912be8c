"""Serves archives and .onnx files by Ray Serve: ``python -m smoothserve.handlers.ray``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from smoothserve.handlers.address import check_free
from smoothserve.handlers.arguments import HOST, MODELS, PORT, add_server_options, add_store
from smoothserve.handlers.errors import CardError

from .arguments import add_options
from .keys import is_loopback, read_keys

_DESCRIPTION = """\
Serve models by Ray Serve until interrupted: TorchServe's URLs, and KServe's protocols v1 and v2 over REST.
Needs ray[serve] and onnxruntime, no PyTorch. 'smoothserve serve --engine ray' is the same.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m smoothserve.handlers.ray",
        description=_DESCRIPTION,
        epilog=MODELS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="see below")
    add_store(parser)
    add_server_options(parser, "where and how")
    add_options(parser)
    arguments = parser.parse_args(argv)
    arguments.host, arguments.port = arguments.host or HOST, arguments.port or PORT
    try:
        _check(arguments)
        return _serve(arguments)
    except CardError as error:
        sys.stderr.write(f"smoothserve: error: {error}\n")
        return 1


def _check(arguments: argparse.Namespace) -> None:
    """What can be said before anything starts."""
    if arguments.keys is not None:
        read_keys(arguments.keys)
    elif not is_loopback(arguments.host):
        raise CardError(
            f"--host {arguments.host} would let anybody ask. Give --keys FILE, with "
            "a key in each line; or leave --host out, to listen on this machine alone."
        )
    if arguments.address is None:
        check_free(arguments.host, arguments.port)


def _serve(arguments: argparse.Namespace) -> int:
    try:
        from .local import own_folder
        from .supervision import supervised

        if arguments.address is None:
            with own_folder() as folder:
                return supervised(lambda: _run(arguments, folder))
        return _run(arguments, None)
    except ModuleNotFoundError as error:
        raise CardError(f"{error}: pip install 'smoothserve[cpu,ray]'") from error


def _run(arguments: argparse.Namespace, folder: Path | None) -> int:
    from .running import run

    return run(arguments, folder)


if __name__ == "__main__":
    sys.exit(main())
