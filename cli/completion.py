"""Completion for shells: a script that knows commands, flags and names, so that TAB starts no Python."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from smoothserve.explainers import METHODS
from smoothserve.handlers.images import colormaps

SHELLS = ("bash", "zsh")
_METHODS = [*(name.lower() for name in METHODS), *METHODS]  # shells tell smo from Smo; the parser does not
_NAMES = {
    "method": _METHODS,
    "methods": _METHODS,  # the first of a list
    "base": _METHODS,
    "also": _METHODS,
    "colormap": [*colormaps.SEQUENTIAL, *colormaps.DIVERGING],
}  # of what the argument takes, where argparse is told no choices
_FILES = ("model", "models", "paths", "baseline")  # texts that may name files


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """The script for one of ``SHELLS``. It changes the parser, which must not parse afterwards."""
    import shtab

    for action in _actions(parser):
        if action.dest in _NAMES:
            action.choices = _NAMES[action.dest]
        elif action.type is Path or action.dest in _FILES:
            folder = action.metavar == "DIR"
            action.complete = shtab.DIRECTORY if folder else shtab.FILE  # type: ignore[attr-defined]
    script: str = shtab.complete(parser, shell)
    return script


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The parser's arguments, and those of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
