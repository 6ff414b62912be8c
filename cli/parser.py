"""Parsing that answers a mistake with two lines and the name that was probably meant."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any

from smoothserve.handlers.suggestion import did_you_mean


class Parser(argparse.ArgumentParser):
    """argparse's parser, without the forty lines of usage before an error."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # What begins with a minus is no flag where this fits: -7% is a value, which its option can refuse.
        self._negative_number_matcher = re.compile(r"-(\d+(\.\d*)?|\.\d+)%?$")
        self._mixing = False  # whether argparse is reading options and names one after the other

    def error(self, message: str) -> Any:
        self.exit(2, f"{self.prog}: error: {message}\nsee '{self.prog} --help'\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does; names are taken on both sides of options.

        Unknown flags are refused here, where those that there are can be named.
        """
        found, unknown = super().parse_known_args(args, namespace)
        if self._mixing:
            return found, unknown
        if unknown and not any(word.startswith("-") for word in unknown):
            self._mixing = True
            try:
                found, unknown = self.parse_known_intermixed_args(args)
            finally:
                self._mixing = False
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            name = unknown[0].partition("=")[0]
            hint = did_you_mean(name, flags) if name.startswith("-") else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Of one of several choices, commands included."""
        if action.choices is not None and value not in action.choices:
            raise argparse.ArgumentError(
                action, unknown_name(str(value), [str(name) for name in action.choices])
            )


def unknown_name(given: str, known: Sequence[str]) -> str:
    """``'smoothgrd' is not known; did you mean 'smoothgrad'? There are: ...``"""
    return f"{given!r} is not known{did_you_mean(given, known) or '.'} There are: {', '.join(known)}."
