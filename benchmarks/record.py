"""Where figures are kept, what they say about themselves, and sessions that are timed alike."""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from smoothserve.handlers.graph import session_options

from .page import write_page


class Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """The module's docstring as it stands, and every option's default."""


def add_networks_option(parser: argparse.ArgumentParser, networks: Collection[str]) -> None:
    """``--networks``, for results whose rows :meth:`Record.rows` keeps."""
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


def add_out_options(parser: argparse.ArgumentParser) -> None:
    """``--out``, ``--pages`` and ``--report``, which :class:`Record` takes."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("benchmarks/results"),
        metavar="DIR",
        help="folder of the figures, JSON",
    )
    parser.add_argument(
        "--pages",
        type=Path,
        default=Path("docs/measurements"),
        metavar="DIR",
        help="folder of pages and pictures",
    )
    parser.add_argument(
        "--report", action="store_true", help="measure nothing: write the page again from the figures"
    )


@dataclass(frozen=True)
class Record:
    """The figures of one benchmark, and the page that shows them.

    Attributes:
        figures: the JSON file.
        page: the Markdown file.
    """

    figures: Path
    page: Path

    @classmethod
    def named(cls, name: str, arguments: argparse.Namespace) -> Record:
        """``NAME.json`` and ``NAME.md`` in the folders that the options name."""
        return cls(arguments.out / f"{name}.json", arguments.pages / f"{name}.md")

    @property
    def picture(self) -> Path:
        """The figure beside the page."""
        return self.page.with_suffix(".png")

    def read(self) -> dict[str, Any]:
        """What was measured so far."""
        result: dict[str, Any] = json.loads(self.figures.read_text())
        return result

    def write(self, result: dict[str, Any]) -> None:
        """Keep what was measured; a reader never sees half of it."""
        write_json(self.figures, result)

    def rows(self, networks: Collection[str] = ()) -> list[dict[str, Any]]:
        """The rows so far of other networks than those that are measured now."""
        kept = self.read()["rows"] if self.figures.exists() else []
        return [row for row in kept if row["network"] not in networks]


def write_json(path: Path, result: dict[str, Any]) -> None:
    """Write figures aside, then put them in place; the folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(result, indent=1) + "\n")
    draft.replace(path)


def timing_arguments(
    description: str | None, name: str, networks: Collection[str], rounds: int
) -> tuple[argparse.Namespace, Record]:
    """The command line of a benchmark that times networks, and where its figures go.

    Args:
        description: the module's docstring.
        name: of the figures and the page.
        networks: those that can be measured.
        rounds: by default.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=Help)
    add_networks_option(parser, networks)
    add_timing_options(parser, rounds)
    add_out_options(parser)
    arguments = parser.parse_args()
    return arguments, Record.named(name, arguments)


def time_networks(
    description: str | None,
    name: str,
    networks: Sequence[str],
    rounds: int,
    packages: tuple[str, ...],
    measure: Callable[[str, int, int], dict[str, Any]],
    report: Callable[[dict[str, Any]], str],
) -> None:
    """A whole benchmark whose table has a row for each network, in their order; each is kept at once.

    Args:
        description, name, networks, rounds: as for :func:`timing_arguments`.
        packages: whose versions are kept.
        measure: (network, rounds, threads) -> a row.
        report: figures -> the page.
    """
    arguments, record = timing_arguments(description, name, networks, rounds)
    if not arguments.report:
        torch.set_num_threads(arguments.threads)
        result = {**conditions(arguments.threads, packages), "rows": record.rows(arguments.networks)}
        for network in arguments.networks:
            row = measure(network, arguments.rounds, arguments.threads)
            result["rows"] = sorted([*result["rows"], row], key=lambda each: networks.index(each["network"]))
            gc.collect()
            print(f"{network}: {row}", file=sys.stderr, flush=True)
            record.write(result)
    write_page(record.page, report(record.read()))


def conditions(threads: int, packages: tuple[str, ...]) -> dict[str, Any]:
    """Date, machine, threads and versions."""
    return {
        "date": str(date.today()),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "threads": threads,
        "versions": {package: version(package) for package in packages},
    }


def open_session(source: Path | bytes, threads: int) -> onnxruntime.InferenceSession:
    """With the settings of the handler; rivals get them, too."""
    return onnxruntime.InferenceSession(source, session_options(threads))
