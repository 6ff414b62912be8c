"""What Ray's server is told beside :mod:`smoothserve.handlers.arguments`; needs no Ray."""

from __future__ import annotations

import argparse
from pathlib import Path

from smoothserve.handlers import arguments

NAMES = ("replicas", "gpus", "max_queued", "keys", "address")
QUEUED = 64


def add_options(parser: argparse.ArgumentParser) -> None:
    """Replicas, queues, keys and the cluster. What is left out is None."""
    group = parser.add_argument_group("Ray's server alone")
    group.add_argument(
        "--replicas", type=arguments.whole(1), metavar="N",
        help="most processes for each kind of each model: one at first, more while many ask (default 1)",
    )  # fmt: skip
    group.add_argument(
        "--gpus", type=float, metavar="N",
        help="GPUs, or a part of one, for each replica; not tested on one (default: 0; .5 with a --device "
        "that is one, so that predictions and explanations of a model share it)",
    )  # fmt: skip
    group.add_argument(
        "--max-queued", type=arguments.whole(0), metavar="N",
        help=f"requests that wait for each kind of a model; more get 503 (default {QUEUED})",
    )  # fmt: skip
    group.add_argument(
        "--keys", type=Path, metavar="FILE",
        help="a key in each line, which clients send as 'Authorization: Bearer KEY'; needed for a --host "
        "that is not this machine alone",
    )  # fmt: skip
    group.add_argument(
        "--address", metavar="HOST:PORT",
        help="join the Ray cluster there instead of starting one; its Serve keeps its own --host and --port",
    )  # fmt: skip
