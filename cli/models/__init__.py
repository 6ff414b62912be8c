"""From the name of a model on the command line to a classifier that is ready to be explained."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError
from . import bundled, factory, hf, otherwise, program, timm, torchvision
from .named import NamedModel, Source, Wanted

# A new source is a file beside this one, and its entry here.
SOURCES: tuple[Source, ...] = (bundled, torchvision, timm, hf, program, factory)
HELP = "MODEL names a classifier:\n" + "\n".join(f"  {source.HELP}" for source in SOURCES) + "\n"

__all__ = ["HELP", "SOURCES", "NamedModel", "Wanted", "load_model"]


def load_model(
    spec: str,
    weights: Path | None = None,
    size: tuple[int, int] | None = None,
    classes: int | None = None,
) -> NamedModel:
    """Find, build and load a model.

    Args:
        spec: see ``HELP``.
        weights, size, classes: see :class:`Wanted`.

    Raises:
        UsageError: the name, the file or the weights don't fit.
    """
    for source in SOURCES:
        if source.recognises(spec):
            return source.load(spec, Wanted(weights, size, classes))
    otherwise.refuse(spec)
    forms = ", ".join(source.FORM for source in SOURCES)
    meant = [name for source in SOURCES for name in source.meant(spec)][:3]
    hint = f"; did you mean {' or '.join(meant)}?" if meant else "."
    raise UsageError(f"MODEL {spec!r} is not known{hint} It is one of: {forms}.")
