"""What a metric may ask for: one photo, explained by one method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from smoothserve.evaluation import (
    Blurred,
    Constant,
    Curves,
    Histogram,
    Imputer,
    Inpainted,
    Predict,
    flipped,
    reduced,
    superpixel_curves,
)
from smoothserve.handlers.card import Preprocessing

Array = npt.NDArray[np.float32]
Settings = Mapping[str, Any]
IMPUTERS: Mapping[str, Imputer] = {
    "constant": Constant(),
    "histogram": Histogram(),
    "inpainted": Inpainted(),
    "blurred": Blurred(),
}


@dataclass(frozen=True)
class Case:
    """One photo, explained by one method.

    Attributes:
        predict: the network: images ``[N, C, H, W]`` to logits ``[N, K]``.
        explain: the method: images ``[N, C, H, W]`` and a class to attributions of the same shape.
        image: float32 ``[C, H, W]``, preprocessed.
        attribution: float32 ``[C, H, W]`` of the class.
        signed: whether attributions have a sign that means something.
        target: the class.
        classes: how many the network knows.
        preprocessing: that made the image of a photo.
        regions: superpixels of the image, given how many ``[H, W]``.
        mask: bool ``[H, W]``, where the object is; None: nobody says.
        reference: what the attribution converges to, given a number of samples ``[C, H, W]``.
        remembered: looks up curves by name and settings, or computes them once and for all.
    """

    predict: Predict
    explain: Callable[[Array, int], Array]
    image: Array
    attribution: Array
    signed: bool
    target: int
    classes: int
    preprocessing: Preprocessing
    regions: Callable[[int], npt.NDArray[np.intp]]
    mask: npt.NDArray[np.bool_] | None
    reference: Callable[[int], Array]
    remembered: Callable[[str, Settings, Callable[[], Curves]], Curves]

    @property
    def scores(self) -> npt.NDArray[np.float64]:
        """``[H, W]``, how important pixels are: sum over channels if signed, else L2 norm, as in heatmaps."""
        return np.asarray(self._reduced(self.attribution[None])[0])

    def explainer(self, images: Array, targets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The same of other images and classes ``[N]``: ``[N, H, W]``, as metrics of stability ask for."""
        each = [self.explain(images[i : i + 1], int(target)) for i, target in enumerate(targets)]
        return self._reduced(np.concatenate(each))

    def _reduced(self, attributions: Array) -> npt.NDArray[np.float64]:
        return reduced(attributions, "sum" if self.signed else "norm")

    @property
    def object(self) -> npt.NDArray[np.bool_]:
        """The mask of a metric that needs one."""
        if self.mask is None:
            raise ValueError("there is no mask, expected one beside the photo.")
        return self.mask

    def pixel_curves(self, settings: Settings) -> Curves:
        """Pixels are taken away; settings: ``steps``, ``imputer``."""
        return self.remembered(
            "pixels",
            settings,
            lambda: flipped(
                self.predict, self.image, self.scores, self.target, min(settings["steps"], self.scores.size),
                IMPUTERS[settings["imputer"]],
            ),
        )  # fmt: skip

    def superpixel_curves(self, settings: Settings) -> Curves:
        """Superpixels are; settings: ``count``, ``imputer``."""
        return self.remembered(
            "superpixels",
            settings,
            lambda: superpixel_curves(
                self.predict, self.image, self.scores, self.regions(settings["count"]),
                self.target, IMPUTERS[settings["imputer"]],
            ),
        )  # fmt: skip
