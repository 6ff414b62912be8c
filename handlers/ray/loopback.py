"""Keeps replicas off the network where Ray itself runs on loopback.

Each replica has a gRPC server for other deployments, and Ray 2.60 lets it listen on every interface, whatever
the node's address is. Ray's token guards it, but what nobody can reach needs no guard.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

_LISTEN = "add_port_to_grpc_server"  # private to Ray: a test sees whether it still helps
SWITCH = "SMOOTHSERVE_RAY_LOOPBACK"  # environment of the workers: 1 where all of Ray is on one machine


def stay_on_loopback() -> None:
    """Let this process's gRPC server listen on loopback, if the switch says so; to be called at its start."""
    if os.environ.get(SWITCH) != "1":
        return
    replica = importlib.import_module("ray.serve._private.replica")
    listen = getattr(replica, _LISTEN, None)
    if listen is None:
        return

    def listen_on_loopback(server: Any, address: str) -> Any:
        return listen(server, address.replace("[::]:", "127.0.0.1:"))

    setattr(replica, _LISTEN, listen_on_loopback)
