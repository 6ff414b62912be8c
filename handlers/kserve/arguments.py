"""What KServe's server is told beside :mod:`smoothserve.handlers.arguments`; needs no KServe."""

from __future__ import annotations

import argparse

from smoothserve.handlers import arguments

GRPC_PORT = 8081
NAMES = ("grpc_port",)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The port of gRPC; None where it is left out."""
    parser.add_argument_group("KServe's server alone").add_argument(
        "--grpc-port", type=arguments.port, metavar="N", help=f"of gRPC (default {GRPC_PORT})"
    )
