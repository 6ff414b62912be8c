"""Entry point: parse, run a subcommand, turn errors into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.metadata import version

from .commands import COMMANDS
from .logs import debug_log, silence
from .parser import Parser

EXIT_FAILURE = 1
EXIT_INTERRUPTED = 130

_DESCRIPTION = """\
Turn a PyTorch image classifier into one graph that returns prediction and heatmap together,
and serve it.
"""
_EPILOG = """\
the whole way, on a bundled network:
  smoothserve export efficientnet-lite0 -o model.onnx
  smoothserve explain model.onnx photo.jpg -o overlay.png
  smoothserve archive model.onnx my-model
  ./scripts/serve.sh my-model
"""


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="smoothserve",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"smoothserve {version('smoothserve')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.DESCRIPTION,
            epilog=command.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.add_argument(
            "--debug", action="store_true",
            help="show the whole traceback of an error, and smoothserve's debug log: what took how long, and "
            "why passes and rewrites did not apply",
        )  # fmt: skip
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code (0 done, 1 failed, 2 wrong usage, 130 interrupted)."""
    arguments = build_parser().parse_args(argv)
    if not arguments.debug:
        warnings.simplefilter("ignore")
    with debug_log() if arguments.debug else silence():
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    try:
        return int(arguments.run(arguments))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except Exception as error:
        if arguments.debug:
            raise
        sys.stderr.write(f"smoothserve: error: {_in_words(error)}\n")
        return EXIT_FAILURE


def _in_words(error: Exception) -> str:
    """A line; of an error that is not ours, with its kind."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(error).split()) or repr(error)
    return text if type(error).__module__.startswith("smoothserve") else f"{type(error).__name__}: {text}"


if __name__ == "__main__":
    sys.exit(main())
