"""How far a file may be from its model, by the type that its products compute in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """Relative L2 errors that are let through.

    Attributes:
        logits: of any image.
        typical: of attribution and heatmap, median over the images.
        worst: of attribution and heatmap of any single image, whatever its kinks.
    """

    logits: float
    typical: float
    worst: float


# Float16 rounds to 5e-4, and every layer adds to it. Plain gradients jump wherever that moves a
# pre-activation over a kink (EfficientNet-Lite0 .14 to .19, SqueezeNet .05 to .10); SmoothDiff's do not (.015
# and .002).
TOLERANCES = {"float32": Tolerance(1e-4, 1e-4, 5e-2), "float16": Tolerance(3e-2, 0.3, 0.6)}
