"""What the table knows of a runtime."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tests.golden.read import Case


class Answer(NamedTuple):
    """Of the class that is explained; heatmap float32 ``[H, W]``."""

    class_index: int
    probability: float
    heatmap: npt.NDArray[np.float32]


class Runtime(ABC):
    """A way to run the file, or several that share a server.

    Attributes:
        names: of the ways, as the table shows them.
    """

    names: ClassVar[Sequence[str]]

    @abstractmethod
    def missing(self) -> str | None:
        """What to do before it can be asked; None: nothing."""

    @abstractmethod
    def version(self) -> str:
        """Of what runs the graph and what stands around it."""

    def chosen(self, name: str, cases: Sequence[Case]) -> Sequence[Case]:
        """The cases that this way is asked, in order; all, unless it is too slow for that."""
        return cases

    @abstractmethod
    def answers(self, model: Path, cases: Sequence[Case], work: Path) -> Mapping[str, Sequence[Answer]]:
        """By name, what it says of its chosen cases.

        Args:
            model: the golden model's file.
            cases: all of them.
            work: an empty folder.
        """


class Asked(Protocol):
    """A server that runs."""

    def answer(
        self, name: str, photo: bytes, target: int | None
    ) -> tuple[Mapping[str, Any], npt.NDArray[np.float32]]:
        """``class_index`` and ``probability``, and the heatmap ``[H, W]``."""


class Server(Runtime):
    """A runtime that is asked over the network, a photo at a time."""

    @abstractmethod
    def serving(self, model: Path, work: Path) -> AbstractContextManager[Asked]:
        """The file served on loopback, for as long as the context lasts."""

    def answers(self, model: Path, cases: Sequence[Case], work: Path) -> Mapping[str, Sequence[Answer]]:
        with self.serving(model, work) as server:
            return {name: [_asked(server, name, case) for case in cases] for name in self.names}


def _asked(server: Asked, name: str, case: Case) -> Answer:
    found, heatmap = server.answer(name, case.photo.read_bytes(), case.target)
    return Answer(int(found["class_index"]), float(found["probability"]), np.asarray(heatmap, np.float32))


def first_missing(found: Iterable[tuple[bool, str]]) -> str | None:
    """The words of the first thing that is not there."""
    return next((words for there, words in found if not there), None)
