"""Serves archives and .onnx files by Ray Serve: ``python -m smoothserve.handlers.ray``."""

from __future__ import annotations

import argparse
import contextlib
import logging
import math
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from smoothserve.handlers.address import address, check_free
from smoothserve.handlers.arguments import HOST, MODELS, PORT, add_server_options, add_store
from smoothserve.handlers.errors import CardError

from .arguments import add_options
from .keys import is_loopback, read_keys

_DESCRIPTION = """\
Serve models by Ray Serve until interrupted: TorchServe's URLs, and KServe's protocols v1 and v2 over REST.
Needs ray[serve] and onnxruntime, no PyTorch. 'smoothserve serve --engine ray' is the same.
"""
_APPLICATION = "smoothserve"


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
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _serve(arguments)
    except CardError as error:
        sys.stderr.write(f"smoothserve: error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def _serve(arguments: argparse.Namespace) -> None:
    host, port = arguments.host or HOST, arguments.port or PORT
    if arguments.keys is None and not is_loopback(host):
        raise CardError(
            f"--host {host} can be reached by others, and anybody could ask. Give --keys FILE, with a key in "
            "each line; or leave --host out, to listen on this machine alone."
        )
    if arguments.keys is not None:
        read_keys(arguments.keys)
    if arguments.address is None:
        check_free(host, port)
    with contextlib.ExitStack() as stack:
        try:
            if arguments.address is None:
                from .local import local_ray, own_folder

                folder = stack.enter_context(own_folder())
            from .app import build
        except ModuleNotFoundError as error:
            raise CardError(f"{error}: pip install 'smoothserve[cpu,ray]'") from error
        settings = _settings(arguments)
        application = build(settings)  # what cannot be served is said before anything starts
        if arguments.address is None:
            stack.enter_context(local_ray(folder, _cpus(settings)))
        else:
            stack.enter_context(_joined(arguments.address))
        _run(application, host, port)


def _settings(arguments: argparse.Namespace) -> Any:
    from .settings import Kind, Settings

    kind: dict[str, Any] = {
        "num_cpus": arguments.threads or max(1, (os.cpu_count() or 1) // 2),
        "max_replicas": arguments.replicas,
        "max_queued_requests": arguments.max_queued,
        "batch_size": arguments.batch_size,
        "max_batch_delay": arguments.max_batch_delay,
    }
    kind = {name: value for name, value in kind.items() if value is not None}
    return Settings(
        models=arguments.models,
        store=str(arguments.store),
        predictions=Kind(**kind),
        explanations=Kind(**kind),
        keys=None if arguments.keys is None else str(arguments.keys),
    )


def _cpus(settings: Any) -> int:
    """As many as all replicas want: on one machine nobody else is kept from them."""
    kinds = (settings.predictions, settings.explanations)
    wanted: float = len(settings.models) * sum(kind.num_cpus * kind.max_replicas for kind in kinds)
    return math.ceil(wanted)


@contextlib.contextmanager
def _joined(where: str) -> Iterator[None]:
    """A cluster that is there; the application leaves it in the end."""
    import ray
    from ray import serve

    try:
        ray.init(address=where, logging_level=logging.WARNING)
    except ConnectionError as error:
        raise CardError(f"--address {where}: {error}") from error
    try:
        yield
    finally:
        serve.delete(_APPLICATION)
        ray.shutdown()


def _run(application: Any, host: str, port: int) -> None:
    """Serve until a signal comes."""
    import ray
    from ray import serve

    quiet = {"log_level": "WARNING", "enable_access_log": False}  # the ingress writes a line for each request
    serve.start(http_options={"host": host, "port": port}, logging_config=quiet)
    try:
        serve.run(application, name=_APPLICATION, logging_config=quiet)
    except RuntimeError as error:  # a replica cannot be started; its log, which is printed, says why
        raise CardError(f"The models could not be served: {error}") from error
    signal.signal(signal.SIGTERM, _interrupt)  # Ray has set its own
    here = ray.util.get_node_ip_address()
    metrics = next(node["MetricsExportPort"] for node in ray.nodes() if node["NodeManagerAddress"] == here)
    sys.stderr.write(
        f"smoothserve: serving on http://{address(host, port)}, metrics on "
        f"http://{address(here, metrics)}/metrics (Ctrl-C ends)\n"
    )
    sys.stderr.flush()
    signal.pause()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
