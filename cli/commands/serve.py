"""smoothserve serve: archives and .onnx files behind HTTP and gRPC, by one of three servers."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from smoothserve.handlers import arguments as shared
from smoothserve.handlers.kserve import arguments as of_kserve
from smoothserve.handlers.ray import arguments as of_ray

from ..errors import UsageError

NAME = "serve"
HELP = "serve archives and .onnx files over HTTP and gRPC, with TorchServe, KServe or Ray Serve"
DESCRIPTION = f"""\
Serve models on this machine until interrupted. There are three engines; all answer KServe's protocols
v1 and v2 with the same code, in the same words:
  torchserve    scripts/serve.sh of a checkout: archives by NAME; needs Java. Its addresses and settings
                are those of config.properties (SMOOTHSERVE_CONFIG names another file)
  kserve        KServe's ModelServer: archives and .onnx files; needs the extra 'kserve' and no Java
  ray           Ray Serve: archives and .onnx files, TorchServe's URLs, more processes while many ask, on
                this machine or in a cluster; needs the extra 'ray' and no Java

{shared.MODELS}"""
EXAMPLES = """\
examples:
  smoothserve serve cats dogs
  smoothserve serve cats --engine kserve
  smoothserve serve model.onnx --engine kserve --port 9000 --grpc-port 9001
  smoothserve serve cats=v2/model.onnx --engine kserve --host 0.0.0.0
  smoothserve serve cats --engine ray --replicas 4
  smoothserve serve cats --engine ray --host 0.0.0.0 --keys keys.txt

and then, of Ray's server and of TorchServe:
  curl -T cat.jpg -H 'Accept: image/png' http://127.0.0.1:8080/explanations/cats -o overlay.png
of KServe's server:
  curl http://127.0.0.1:8080/v2/models/cats/ready
  curl http://127.0.0.1:8080/v1/models/cats:explain -H 'Content-Type: application/json' \\
    -d "{\\"instances\\": [{\\"data\\": \\"$(base64 -w0 cat.jpg)\\"}]}"
"""
_ROOT = Path(__file__).resolve().parents[2]  # of a checkout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar="MODEL", help="see above")
    parser.add_argument(
        "--engine", choices=("torchserve", "kserve", "ray"), default="torchserve", help="default: torchserve"
    )
    shared.add_store(parser)
    shared.add_server_options(parser, "KServe's server and Ray's")
    of_kserve.add_options(parser)
    of_ray.add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Become the server: signals reach it, and its exit status is the command's."""
    if arguments.engine == "kserve":
        _refuse(arguments, of_ray.NAMES, "of Ray's server alone; --engine ray takes it.")
        _become(_started(arguments, _python(), of_kserve.NAMES), {})
    if arguments.engine == "ray":
        _refuse(arguments, of_kserve.NAMES, "of KServe's server alone: Ray's has no gRPC of these protocols.")
        _become(_started(arguments, _python_with_ray(), of_ray.NAMES), {})
    _torchserve(arguments)


def _refuse(arguments: argparse.Namespace, names: Sequence[str], why: str) -> None:
    if given := shared.given(arguments, names):
        raise UsageError(f"{', '.join(given)}: {why}")


def _started(arguments: argparse.Namespace, python: str, names: Sequence[str]) -> list[str]:
    """The command of an engine that is started from Python; ``names`` are its own options."""
    command = [python, "-m", f"smoothserve.handlers.{arguments.engine}", *arguments.models]
    given = {"--store": str(arguments.store), **shared.given(arguments, (*shared.NAMES, *names))}
    return [*command, *(part for pair in given.items() for part in pair)]


def _torchserve(arguments: argparse.Namespace) -> NoReturn:
    _refuse(
        arguments,
        (*shared.NAMES, *of_kserve.NAMES, *of_ray.NAMES),
        "of the other servers. TorchServe's addresses are in config.properties (SMOOTHSERVE_CONFIG names "
        "another file), and its batches and records are set by 'smoothserve archive'.",
    )
    for model in arguments.models:
        if Path(model).suffix in (".mar", ".onnx"):
            raise UsageError(
                f"TorchServe takes archives by name, and {model} is a file. 'smoothserve archive' makes an "
                "archive; --engine kserve and --engine ray take files."
            )
    script = _ROOT / "scripts/serve.sh"
    if not script.is_file():
        raise UsageError(
            "TorchServe is started by scripts/serve.sh of a checkout, which this installation has not; "
            "--engine kserve and --engine ray need none."
        )
    _become([str(script), *arguments.models], {"SMOOTHSERVE_STORE": str(arguments.store)})


def _python() -> str:
    """One that has kserve: this one, or that of scripts/kserve.sh."""
    if find_spec("kserve") and find_spec("onnxruntime"):
        return sys.executable
    own = _ROOT / ".venv-kserve/bin/python"
    if own.is_file():
        return str(own)
    raise UsageError(
        "The package kserve is not installed: pip install 'smoothserve[cpu,kserve]'. It pins packages below "
        "the versions that others need, so an environment of its own is safer: in a checkout, "
        "scripts/kserve.sh makes one."
    )


def _python_with_ray() -> str:
    if not find_spec("ray") or not find_spec("onnxruntime"):
        raise UsageError("The package ray is not installed: pip install 'smoothserve[cpu,ray]'")
    return sys.executable


def _become(command: list[str], settings: dict[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, {**os.environ, **settings})
