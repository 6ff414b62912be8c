"""smoothserve serve: archives and .onnx files behind HTTP and gRPC, by one of two servers."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from smoothserve.handlers.kserve.arguments import MODELS, add_server_options, add_store, options

from ..errors import UsageError

NAME = "serve"
HELP = "serve archives and .onnx files over HTTP and gRPC, with TorchServe or KServe"
DESCRIPTION = f"""\
Serve models on this machine until interrupted. There are two engines; both answer KServe's protocols
v1 and v2 with the same code, in the same words:
  torchserve    scripts/serve.sh of a checkout: archives by NAME; needs Java. Its addresses and settings
                are those of config.properties (SMOOTHSERVE_CONFIG names another file)
  kserve        KServe's ModelServer: archives and .onnx files; needs the extra 'kserve' and no Java

{MODELS}"""
EXAMPLES = """\
examples:
  smoothserve serve cats dogs
  smoothserve serve cats --engine kserve
  smoothserve serve model.onnx --engine kserve --port 9000 --grpc-port 9001
  smoothserve serve cats=v2/model.onnx --engine kserve --host 0.0.0.0

and then, of KServe's server:
  curl http://127.0.0.1:8080/v2/models/cats/ready
  curl http://127.0.0.1:8080/v1/models/cats:explain -H 'Content-Type: application/json' \\
    -d "{\\"instances\\": [{\\"data\\": \\"$(base64 -w0 cat.jpg)\\"}]}"
"""
_ROOT = Path(__file__).resolve().parents[2]  # of a checkout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", metavar="MODEL", help="see above")
    parser.add_argument(
        "--engine", choices=("torchserve", "kserve"), default="torchserve", help="default: torchserve"
    )
    add_store(parser)
    add_server_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Become the server: signals reach it, and its exit status is the command's."""
    if arguments.engine == "kserve":
        _kserve(arguments)
    _torchserve(arguments)


def _torchserve(arguments: argparse.Namespace) -> NoReturn:
    if given := options(arguments):
        raise UsageError(
            f"{', '.join(given)}: of KServe's server alone. TorchServe's addresses are in config.properties "
            "(SMOOTHSERVE_CONFIG names another file), its batches and records are set by 'smoothserve "
            "archive'."
        )
    for model in arguments.models:
        if Path(model).suffix in (".mar", ".onnx"):
            raise UsageError(
                f"TorchServe takes archives by name, and {model} is a file. 'smoothserve archive' makes an "
                "archive; --engine kserve takes files."
            )
    script = _ROOT / "scripts/serve.sh"
    if not script.is_file():
        raise UsageError(
            "TorchServe is started by scripts/serve.sh of a checkout, which this installation has not; "
            "--engine kserve needs none."
        )
    _become([str(script), *arguments.models], {"SMOOTHSERVE_STORE": str(arguments.store)})


def _kserve(arguments: argparse.Namespace) -> NoReturn:
    command = [_python(), "-m", "smoothserve.handlers.kserve", *arguments.models]
    for name, value in {"--store": str(arguments.store), **options(arguments)}.items():
        command += [name, value]
    _become(command, {})


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


def _become(command: list[str], settings: dict[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(command[0], command, {**os.environ, **settings})
