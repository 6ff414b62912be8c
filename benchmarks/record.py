"""What every result file says about itself, and sessions that are timed alike."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Collection
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnxruntime
from smoothserve.handlers.graph import session_options


class Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The module's docstring as it stands, and every option's default."""


def add_networks_option(parser: argparse.ArgumentParser, networks: Collection[str]) -> None:
    """``--networks``, for results whose rows :func:`kept_rows` keeps."""
    parser.add_argument(
        "--networks",
        nargs="+",
        choices=networks,
        default=list(networks),
        help="measure only these; others keep their rows",
    )


def add_timing_options(parser: argparse.ArgumentParser, rounds: int) -> None:
    """``--rounds`` and ``--threads``."""
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="calls that are timed; figures are medians"
    )
    parser.add_argument("--threads", type=int, default=2, help="of each runtime")


def add_out_option(parser: argparse.ArgumentParser) -> None:
    """``--out``."""
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder of the results")


def conditions(threads: int, packages: tuple[str, ...]) -> dict[str, Any]:
    """Date, machine, threads and versions."""
    return {
        "date": str(date.today()),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "threads": threads,
        "versions": {package: version(package) for package in packages},
    }


def versions_line(result: dict[str, Any]) -> str:
    """The versions, as a report names them."""
    return ", ".join(f"{package} {number}" for package, number in result["versions"].items())


def conditions_line(result: dict[str, Any]) -> str:
    """All of :func:`conditions`, as a report begins."""
    return f"{result['date']}, {result['machine']}, {result['threads']} threads, {versions_line(result)}"


def kept_rows(file: Path, networks: Collection[str] = ()) -> list[dict[str, Any]]:
    """The rows in ``file`` of other networks than those that are measured now."""
    kept = json.loads(file.read_text())["rows"] if file.exists() else []
    return [row for row in kept if row["network"] not in networks]


def open_session(source: Path | bytes, threads: int) -> onnxruntime.InferenceSession:
    """With the settings of the handler; rivals get them, too."""
    return onnxruntime.InferenceSession(source, session_options(threads))
