"""From the command line to an application that runs until a signal comes."""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from ray import serve
from smoothserve.handlers.address import address
from smoothserve.handlers.devices import Device
from smoothserve.handlers.errors import CardError

from .app import application
from .local import local_ray
from .settings import Kind, Settings

_APPLICATION = "smoothserve"
_SHARE = 0.5  # of a GPU for each replica: predictions and explanations of a model together take one
_REACHED = 10  # s
_QUIET = {"log_level": "WARNING", "enable_access_log": False}  # the ingress writes a line for each request
_REASON = re.compile(r"^[\w.]+Error: (.+)$", re.MULTILINE)


def run(arguments: argparse.Namespace, folder: Path | None) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        arguments: of the command line.
        folder: of a Ray of one's own; None: join the one at ``arguments.address``.

    Returns:
        the exit code.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    try:
        settings = _settings(arguments)
        built = application(settings)  # what cannot be served is said before anything starts
        with _joined(arguments.address) if folder is None else local_ray(folder, _cpus(settings)):
            _serve(built, arguments.host, arguments.port)
    except CardError as error:
        sys.stderr.write(f"smoothserve: error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        sys.stderr.flush()
    return 0


def _settings(arguments: argparse.Namespace) -> Settings:
    device = Device.parse(arguments.device or "cpu")
    if device.number is not None:
        raise CardError(f"--device {device}: Ray gives each replica its GPU; leave the number out.")
    given: dict[str, Any] = {
        "num_cpus": arguments.threads or max(1, (os.cpu_count() or 1) // 2),
        "num_gpus": arguments.gpus if arguments.gpus is not None else (_SHARE if device.is_gpu else None),
        "device": arguments.device,
        "max_replicas": arguments.replicas,
        "max_queued_requests": arguments.max_queued,
        "batch_size": arguments.batch_size,
        "max_batch_delay": arguments.max_batch_delay,
    }
    kind = Kind(**{name: value for name, value in given.items() if value is not None})
    return Settings(
        models=arguments.models,
        store=str(arguments.store),
        predictions=kind,
        explanations=kind,
        keys=None if arguments.keys is None else str(arguments.keys),
        records=None if arguments.records is None else str(arguments.records),
    )


def _cpus(settings: Settings) -> int:
    """As many as all replicas want: on one machine nobody else is kept from them."""
    kinds = (settings.predictions, settings.explanations)
    return math.ceil(len(settings.models) * sum(kind.num_cpus * kind.max_replicas for kind in kinds))


@contextlib.contextmanager
def _joined(where: str) -> Iterator[None]:
    """A cluster that is there, and that is left as it was found."""
    try:
        _check_reachable(where)
        ray.init(address=where, logging_level=logging.WARNING)
    except (OSError, RuntimeError) as error:
        raise CardError(f"--address {where}: there is no Ray cluster that takes us: {error}") from error
    found = bool(serve.status().proxies)
    try:
        yield
    finally:
        if found:
            serve.delete(_APPLICATION)
        else:
            serve.shutdown()
        ray.shutdown()


def _check_reachable(where: str) -> None:
    """Raise OSError if nobody listens at HOST:PORT: Ray tries for minutes."""
    host, _, port = where.rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.removeprefix("ray://").strip("[]"), int(port)), _REACHED).close()


def _serve(built: serve.Application, host: str, port: int) -> None:
    found = bool(serve.status().proxies)
    serve.start(http_options={"host": host, "port": port}, logging_config=_QUIET)
    try:
        serve.run(built, name=_APPLICATION, logging_config=_QUIET)
    except RuntimeError as error:
        raise CardError(f"The models could not be served: {_why(error)}") from error
    signal.signal(signal.SIGTERM, _interrupt)  # Ray has set its own
    here = ray.util.get_node_ip_address()
    metrics = next(node["MetricsExportPort"] for node in ray.nodes() if node["NodeManagerAddress"] == here)
    where = "where the cluster's Serve listens" if found else f"on http://{address(host, port)}"
    sys.stderr.write(
        f"smoothserve: serving {where}, metrics on http://{address(here, metrics)}/metrics (Ctrl-C ends)\n"
    )
    sys.stderr.flush()
    try:
        while True:
            signal.pause()
    finally:  # requests that were taken are answered, and records ended
        sys.stderr.write("smoothserve: stopping\n")
        serve.delete(_APPLICATION)


def _why(error: RuntimeError) -> str:
    """What a replica says that does not start, or what Ray says."""
    deployments = serve.status().applications[_APPLICATION].deployments.values()
    reasons = [reason for each in deployments for reason in _REASON.findall(each.message)]
    return reasons[-1] if reasons else str(error)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
