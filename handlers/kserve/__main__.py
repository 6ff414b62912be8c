"""Serves archives and .onnx files by KServe's ModelServer: ``python -m smoothserve.handlers.kserve``."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from smoothserve.handlers.address import check_free
from smoothserve.handlers.arguments import HOST, MODELS, PORT, add_server_options, add_store
from smoothserve.handlers.errors import CardError
from smoothserve.handlers.served import Settings, find, load

from .arguments import GRPC_PORT, add_options

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
    add_server_options(parser, "where and how")
    add_options(parser)
    arguments = parser.parse_args(argv)
    try:
        _serve(arguments)
    except CardError as error:
        sys.stderr.write(f"smoothserve: error: {error}\n")
        return 1
    return 0


def _serve(arguments: argparse.Namespace) -> None:
    found = find(arguments.models, arguments.store)
    host, port = arguments.host or HOST, arguments.port or PORT
    grpc_port = arguments.grpc_port or GRPC_PORT
    if port == grpc_port:
        raise CardError(
            f"REST and gRPC would both listen on port {port}; give --port or --grpc-port another one."
        )
    for each in (port, grpc_port):
        check_free(host, each)
    del sys.argv[1:]  # KServe reads it, too, when it is imported
    try:
        from .model import ExplanationModel
        from .server import Server
    except ModuleNotFoundError as error:
        raise CardError(
            f"{error}: pip install 'smoothserve[cpu,kserve]', or in a checkout scripts/kserve.sh"
        ) from error
    settings = Settings(
        arguments.batch_size,
        arguments.max_batch_delay,
        arguments.threads,
        arguments.device,
        records=arguments.records,
    )
    server = Server(host, port, grpc_port)  # it sets KServe's log up
    log = logging.getLogger("smoothserve")
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="smoothserve-") as scratch:
        models = []
        for name, path in found.items():
            served = load(name, path, settings, Path(scratch) / name)
            models.append(ExplanationModel(served))
            log.info("%s is ready: %s", name, ", ".join(served.service.methods))
        log.info("serving on %s: REST at port %d, gRPC at %d (Ctrl-C ends)", host, port, grpc_port)
        server.start(models)


if __name__ == "__main__":
    sys.exit(main())
