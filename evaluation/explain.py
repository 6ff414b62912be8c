"""Explainers for metrics that ask for heatmaps: of PyTorch functions, of exported files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from .predict import Array, Explain, Targets

Attributions = npt.NDArray[np.floating[Any]]
Reduction = Literal["norm", "sum"]

_AT_ONCE = 8  # images; explaining takes several times the memory of a forward pass


def reduced(attributions: Attributions, reduction: Reduction) -> npt.NDArray[np.float64]:
    """One number for each pixel.

    Args:
        attributions: ``[N, C, H, W]``.
        reduction: ``norm``, the L2 norm over channels, for sensitivities such as gradients; ``sum`` for
            signed shares of a logit.

    Returns:
        ``[N, H, W]``.

    Raises:
        ValueError: another shape, or another reduction.
    """
    if attributions.ndim != 4:
        raise ValueError(f"attributions {list(attributions.shape)}, expected [N, C, H, W].")
    values = attributions.astype(np.float64)
    if reduction == "norm":
        return np.asarray(np.sqrt((values * values).sum(1)))
    if reduction == "sum":
        return np.asarray(values.sum(1))
    raise ValueError(f"reduction={reduction!r}, expected norm or sum.")


def explained_by(
    attribute: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], reduction: Reduction = "norm"
) -> Explain:
    """Of a function of tensors, such as captum's or one of ``smoothserve.explainers``.

    ``lambda x, y: Saliency(classifier).attribute(x, target=y, abs=False)``, or
    ``lambda x, y: model(x, y).attribution`` of an explanation model.

    Args:
        attribute: images ``[N, C, H, W]``, which require gradients, and classes ``[N]``, to attributions
            ``[N, C, H, W]``, or ``[N, 1, H, W]`` where they are reduced already.
        reduction: see :func:`reduced`; ``sum`` of a single channel leaves it as it is.
    """

    def explain(images: Array, targets: Targets) -> Attributions:
        given = torch.tensor(images).requires_grad_()  # a copy, since some libraries write into it
        return reduced(attribute(given, torch.tensor(targets)).detach().numpy(), reduction)

    return explain


def explained_by_session(session: Any, reduction: Reduction = "norm") -> Explain:
    """Of an ONNX Runtime session of a file that smoothserve exported.

    Args:
        session: with inputs ``image`` and ``target`` and an output ``attribution``; of a file that explains
            several classes, the target's attribution is taken.
        reduction: see :func:`reduced`; ``sum`` where the file's method is signed.

    Raises:
        ValueError: it has no such inputs or output.
    """
    names = {each.name for each in (*session.get_inputs(), *session.get_outputs())}
    if missing := {"image", "target", "attribution"} - names:
        raise ValueError(
            f"the file lacks {', '.join(sorted(missing))}, expected one that `smoothserve export` wrote."
        )

    def explain(images: Array, targets: Targets) -> Attributions:
        (found,) = session.run(["attribution"], {"image": images, "target": targets})
        return reduced(found[:, 0] if found.ndim == 5 else found, reduction)

    return explain


def explained(explain: Explain, images: Array, targets: Targets) -> npt.NDArray[np.float64]:
    """``[N, H, W]``, asked for in parts.

    Raises:
        ValueError: shapes do not fit, or what comes back is not one finite number for each pixel.
    """
    check_images(images, targets)
    parts = []
    for start in range(0, len(images), _AT_ONCE):
        part = np.ascontiguousarray(images[start : start + _AT_ONCE], np.float32)
        found = np.asarray(explain(part, targets[start : start + _AT_ONCE].astype(np.int64)))
        if found.shape != (len(part), *images.shape[2:]):
            raise ValueError(
                f"the explainer answers {list(found.shape)} to images {list(part.shape)}, expected [N, H, W]"
                ": reduce attributions over their channels, to their sum or L2 norm."
            )
        if not np.isfinite(found).all():
            raise ValueError("the explainer answers NaN or infinite values, expected finite ones.")
        parts.append(found.astype(np.float64))
    return np.concatenate(parts)


def check_images(images: Array, targets: Targets) -> None:
    """Whether there is a class for each image.

    Raises:
        ValueError: there is not, or there are no images.
    """
    if images.ndim != 4 or not len(images) or targets.shape != images.shape[:1]:
        raise ValueError(
            f"images {list(images.shape)} and targets {list(targets.shape)}, expected [N, C, H, W] and [N]."
        )
