"""Where in the user's code an operation was called: what errors name."""

from __future__ import annotations

import itertools
import linecache
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import fx
from torch.fx.traceback import annotate, preserve_node_meta
from torch.overrides import TorchFunctionMode

_KEY = "smoothserve_line"
_OURS = ("explainers", "export", "handlers", "cli")  # folders of this package
_NOT_USERS = (
    f"{Path(torch.__file__).parent}{os.sep}",
    *(f"{Path(__file__).parents[2] / folder}{os.sep}" for folder in _OURS),
    "<",
)


@contextmanager
def remembered_lines() -> Iterator[None]:
    """Inside of it, ``torch.export`` keeps for each node the line that called the operation.

    Without, it keeps lines of ``forward`` methods only, not of the functions that these call.
    """
    with _Lines(), preserve_node_meta():
        yield


class _Lines(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        frame = _users(sys._getframe(1))
        if frame is None:
            return func(*args, **(kwargs or {}))
        line = (frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        with annotate({_KEY: line}):
            return func(*args, **(kwargs or {}))


def _users(frame: FrameType | None) -> FrameType | None:
    while frame is not None and not is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def is_users(file: str) -> bool:
    """Whether a source file is the user's (or a library's of models), neither PyTorch's nor ours."""
    return not file.startswith(_NOT_USERS)


def copy_source(to: fx.Node, of: fx.Node) -> None:
    """Let ``to``, which is written in the place of ``of``, name the same line."""
    to.meta.update({key: of.meta[key] for key in ("stack_trace", "custom") if key in of.meta})


def source_line(node: fx.Node) -> str:
    """Where the operation was called (file, line, function, code), or a note that this is unknown."""
    remembered = node.meta.get("custom", {}).get(_KEY)
    if remembered:
        file, number, function = remembered
        return f'File "{file}", line {number}, in {function}: {linecache.getline(file, number).strip()}'
    trace = node.meta.get("stack_trace")
    if not trace:
        return "source line unknown"
    lines = [line.strip() for line in str(trace).strip().splitlines()]
    frames = [(a, b) for a, b in itertools.pairwise(lines) if a.startswith("File ")]
    return f"{frames[-1][0]}: {frames[-1][1]}" if frames else lines[-1]
