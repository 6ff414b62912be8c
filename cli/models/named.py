"""What every source of models is asked for, and what it gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from smoothserve.export import Preprocessing
from torch import nn

PRETRAINED = Path("pretrained")  # in place of a weights file: the library's own download


@dataclass(frozen=True)
class Wanted:
    """What the command line says beside a model's name.

    Attributes:
        weights: a .safetensors, .pth or .pt file with a state dict; PRETRAINED; or None.
        size: (height, width) of the input in pixels; None: the model's own, else 224.
        classes: of a fine-tuned head, where the source builds the model.
    """

    weights: Path | None = None
    size: tuple[int, int] | None = None
    classes: int | None = None


@dataclass(frozen=True)
class NamedModel:
    """A classifier and what is known about it.

    Attributes:
        classifier: in eval mode.
        name: for the card.
        preprocessing: photo -> input; its crop is the input size.
        labels: class names, or None.
        origin: who says the preprocessing; None: nobody does, it is assumed.
        notes: lines for the person at the terminal: what was done, and what could not be told.
    """

    classifier: nn.Module
    name: str
    preprocessing: Preprocessing
    labels: tuple[str, ...] | None
    origin: str | None = None
    notes: tuple[str, ...] = ()

    def example(self) -> torch.Tensor:
        """An input ``[1, C, H, W]`` of the right size and scale: grey noise, preprocessed."""
        pre = self.preprocessing
        pixels = torch.rand((1, len(pre.mean), *pre.crop), generator=torch.Generator().manual_seed(0))
        mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (pre.mean, pre.std))
        return (pixels - mean) / std


class Source(Protocol):
    """A module of this package that finds models of one kind.

    Attributes:
        FORM: how its models are named, such as ``torchvision:NAME``.
        HELP: an example of that, and what it is, in two columns.
    """

    FORM: str
    HELP: str

    def recognises(self, spec: str) -> bool:
        """Whether a MODEL is named in this source's way."""
        ...

    def load(self, spec: str, wanted: Wanted) -> NamedModel:
        """Find, build and load it; raises UsageError."""
        ...

    def meant(self, spec: str) -> list[str]:
        """Names of this source that a MODEL which no source recognises may have meant."""
        ...
