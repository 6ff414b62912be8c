"""MODEL FILE.pt2: programs that torch.export.save wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from smoothserve.export import default_preprocessing

from ..errors import UsageError
from .named import NamedModel, Wanted

FORM = "FILE.pt2"
HELP = "path/to/model.pt2           a program saved by torch.export, with a free batch size"
_EXPECTED = "expected images [batch, channels, height, width]"


def recognises(spec: str) -> bool:
    return spec.lower().endswith(".pt2")


def meant(spec: str) -> list[str]:
    return []


def load(spec: str, wanted: Wanted) -> NamedModel:
    path = Path(spec)
    if not path.is_file():
        raise UsageError(f"{path} does not exist; expected a program of torch.export.save.")
    if wanted.weights is not None or wanted.classes is not None:
        raise UsageError(f"{path} brings its own weights and classes; leave out --weights and --classes.")
    try:
        program = torch.export.load(path)
    except Exception as error:
        raise UsageError(
            f"{path} is no readable program of torch.export: {type(error).__name__}: {error}"
        ) from error
    channels, own = image_of(program, str(path))
    return NamedModel(
        classifier=program.module(),  # in the mode it was exported in; eval() is not for programs
        name=path.stem,
        preprocessing=default_preprocessing((channels, *(wanted.size or own))),
        labels=None,
    )


def image_of(program: torch.export.ExportedProgram, name: str) -> tuple[int, tuple[int, int]]:
    """The channels and the size of its input; 224 where the size is free.

    Raises:
        UsageError: it has several inputs, none of four axes, or a fixed batch size.
    """
    inputs = program.graph_signature.user_inputs
    shapes = [
        tuple(node.meta["val"].shape)
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in inputs
    ]
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise UsageError(
            f"{name} takes inputs of shapes {[[*map(str, s)] for s in shapes]}; {_EXPECTED} alone."
        )
    batch, channels, height, width = shapes[0]
    if isinstance(batch, int):
        raise UsageError(
            f"{name} was exported for a batch of exactly {batch}. Export it again with a free one: "
            "torch.export.export(model, (image,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)), with an "
            "example of two images."
        )
    return _fixed(channels, 3), (_fixed(height, 224), _fixed(width, 224))


def _fixed(side: Any, otherwise: int) -> int:
    return side if isinstance(side, int) else otherwise
