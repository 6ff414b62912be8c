"""Options that say what is explained: which number of a class, and how many classes."""

from __future__ import annotations

import argparse

from smoothserve.explainers import MethodError, Objective

from .arguments import positive


def add_objective_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Add them to the parser; None is the value of those that are left out."""
    group = parser.add_argument_group("what is explained")
    return [
        group.add_argument(
            "--objective", type=objective, metavar="NAME",
            help="of a class: logit (default), probability, log-probability, contrast (its logit minus that "
            "of the runner-up) or contrast:N (minus that of class N)",
        ),
        group.add_argument(
            "--top-k", type=positive, metavar="K",
            help="explain the K most probable classes in one call (default 1); forward passes are shared",
        ),
    ]  # fmt: skip


def objective(text: str) -> Objective:
    """An argparse type: ``probability``, ``contrast:281``, ..."""
    kind, colon, against = text.partition(":")
    if colon and not against.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}, expected a class number after the colon")
    try:
        return Objective(kind, int(against) if colon else None)
    except MethodError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
