"""What an experiment is, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from PIL import Image

from .lab import Lab

Cell = str | float | int


@dataclass(frozen=True)
class Table:
    """Figures, ours or published.

    Attributes:
        title: what they are.
        header: names of columns.
        rows: a cell for each column.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Outcome:
    """What an experiment gives.

    Attributes:
        tables: figures.
        pictures: what is seen, by a short name; RGB.
        said: sentences: what differs from the paper's setting, and what the figures say.
    """

    tables: tuple[Table, ...] = ()
    pictures: Mapping[str, Image.Image] = field(default_factory=dict)
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """One experiment of a paper.

    Attributes:
        name: for the command line.
        source: paper, and its figures or tables.
        shows: what, in a few words.
        run: the experiment.
    """

    name: str
    source: str
    shows: str
    run: Callable[[Lab], Outcome]
