"""Serves archives and .onnx files by KServe's ModelServer: ``python -m smoothserve.handlers.kserve``."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from smoothserve.handlers.errors import CardError

from .arguments import GRPC_PORT, HOST, MODELS, PORT, add_server_options, add_store

_DESCRIPTION = """\
Serve models by KServe's protocols v1 and v2, over REST and gRPC, until interrupted. Needs kserve and
onnxruntime, no PyTorch. 'smoothserve serve --engine kserve' is the same.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m smoothserve.handlers.kserve",
        description=_DESCRIPTION,
        epilog=MODELS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="see below")
    add_store(parser)
    add_server_options(parser)
    arguments = parser.parse_args(argv)
    try:
        _serve(arguments)
    except CardError as error:
        sys.stderr.write(f"smoothserve: error: {error}\n")
        return 1
    return 0


def _serve(arguments: argparse.Namespace) -> None:
    del sys.argv[1:]  # KServe reads it, too, when it is imported
    try:
        import kserve  # noqa: F401
    except ModuleNotFoundError as error:
        raise CardError(
            f"kserve cannot be imported ({error}): pip install 'smoothserve[cpu,kserve]', or in a checkout "
            "scripts/kserve.sh"
        ) from error
    from .model import ExplanationModel
    from .served import Settings, load
    from .server import Server, check_free

    host, port = arguments.host or HOST, arguments.port or PORT
    grpc_port = arguments.grpc_port or GRPC_PORT
    for each in (port, grpc_port):
        check_free(host, each)
    settings = Settings(arguments.store, arguments.batch_size, arguments.max_batch_delay, arguments.threads)
    server = Server(host, port, grpc_port)
    log = logging.getLogger("smoothserve")
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="smoothserve-") as scratch:
        models = []
        for number, given in enumerate(arguments.models):
            folder = Path(scratch) / str(number)
            folder.mkdir()
            served = load(given, settings, folder)
            if served.name in [model.name for model in models]:
                raise CardError(f"Two models are called {served.name}; give one another name: OTHER=PATH.")
            models.append(ExplanationModel(served))
            sys.stderr.write(f"{served.name} is ready: {', '.join(served.service.methods)}\n")
        sys.stderr.write(f"serving on {host}: REST at port {port}, gRPC at {grpc_port} (Ctrl-C ends)\n")
        server.start(models)


if __name__ == "__main__":
    sys.exit(main())
