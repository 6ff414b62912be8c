"""--limit NAME=VALUE, which bounds what a server accepts."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

from smoothserve.handlers.errors import CardError
from smoothserve.handlers.limits import Limits


def add_limit_option(group: Any) -> None:
    """Add it to a parser or one of its groups; it gives a list of pairs, ``limit``."""
    group.add_argument(
        "--limit", action="append", default=[], type=_limit, metavar="NAME=VALUE",
        help="bound requests (repeatable): "
        + ", ".join(f"{field.name} (default {field.default})" for field in fields(Limits)),
    )  # fmt: skip


def _limit(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        number = float(value)
        limit = name, int(number) if number.is_integer() else number
        Limits.from_settings(dict([limit]))
    except (ValueError, CardError) as error:
        raise argparse.ArgumentTypeError(f"{text!r}, expected NAME=NUMBER: {error}") from error
    return limit
