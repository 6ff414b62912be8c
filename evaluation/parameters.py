"""Does the heatmap know the weights? Model parameter randomisation, by Quantus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from .explain import check_images, explained
from .predict import Array, Explain, Targets

Order = Literal["top_down", "bottom_up", "independent"]


class Randomised(NamedTuple):
    """How alike heatmaps stay while layers get random weights.

    Attributes:
        layers: L names, in the order in which they are randomised.
        similarity: ``[L, N]``, of each image's heatmap with that of the trained classifier: Spearman's rank
            correlation of magnitudes, in [-1, 1]. Smaller is better; 1 where weights make no difference. NaN
            where the heatmap is all 0, as of a random logit that a ReLU cuts off.
    """

    layers: tuple[str, ...]
    similarity: npt.NDArray[np.float64]


def parameter_randomisation(
    classifier: torch.nn.Module,
    explainer: Callable[[torch.nn.Module], Explain],
    images: Array,
    targets: Targets,
    order: Order = "top_down",
    seed: int = 42,
) -> Randomised:
    """MPRT: layers get random weights, one after another, and the heatmap should change.

    "Sanity checks for saliency maps" (Adebayo et al. 2018, arXiv 1810.03292, cascading randomisation), by
    ``quantus.MPRT``, which `pip install quantus` brings.

    Args:
        classifier: a PyTorch module, since the weights of a file are part of its graph; in evaluation mode.
            Layers with ``reset_parameters``, as those of PyTorch have it, are randomised. It stays as it is.
        explainer: makes an explainer of a classifier; called once for each layer, and once before.
        images: ``[N, C, H, W]`` float32, preprocessed.
        targets: ``[N]``, the classes.
        order: ``top_down`` from the logits, ``bottom_up`` from the image, both cascading; ``independent``
            restores the other layers.
        seed: of the weights.

    Raises:
        ValueError: it is no module, is in training mode or has no such layer, shapes do not fit, or a
            heatmap of the trained classifier is all 0.
        ImportError: Quantus is not installed.
    """
    found, blank = _measured("MPRT", {"layer_order": order}, classifier, explainer, images, targets, seed)
    rows = {name: values for name, values in found.items() if name != "original"}
    similarity = np.array(list(rows.values()), np.float64)
    similarity[np.stack(blank[-len(rows) :])] = np.nan
    return Randomised(tuple(rows), similarity)


def efficient_parameter_randomisation(
    classifier: torch.nn.Module,
    explainer: Callable[[torch.nn.Module], Explain],
    images: Array,
    targets: Targets,
    seed: int = 42,
) -> npt.NDArray[np.float64]:
    """eMPRT: how much more complex heatmaps get once all weights are random; larger is better.

    (entropy after - entropy before) / entropy before, of histograms ("Sanity checks revisited", Hedstrom et
    al. 2023, arXiv 2401.06465), by ``quantus.EfficientMPRT``. Quantus lays the boxes of its histograms over
    all images together, so a value depends a little on the others.

    Args:
        classifier: as in :func:`parameter_randomisation`, as are all others.
        explainer: likewise.
        images: ``[N, C, H, W]`` float32, preprocessed.
        targets: ``[N]``, the classes.
        seed: of the weights.

    Returns:
        ``[N]``, 0 where weights make no difference, NaN where the heatmap of random ones is all 0.

    Raises:
        ValueError: as in :func:`parameter_randomisation`.
        ImportError: Quantus is not installed.
    """
    found, blank = _measured("EfficientMPRT", {}, classifier, explainer, images, targets, seed)
    return np.where(blank[-1], np.nan, np.array(found, np.float64))


def _measured(
    name: str,
    options: dict[str, str],
    classifier: torch.nn.Module,
    explainer: Callable[[torch.nn.Module], Explain],
    images: Array,
    targets: Targets,
    seed: int,
) -> tuple[Any, list[npt.NDArray[np.bool_]]]:
    """What Quantus finds, and which heatmaps were all 0, ``[N]`` each time that it asked for them."""
    if not isinstance(classifier, torch.nn.Module):
        raise ValueError(f"the classifier is a {type(classifier).__name__}, expected a PyTorch module.")
    if classifier.training:
        raise ValueError("the classifier is in training mode, expected evaluation mode: call .eval() on it.")
    if not any(hasattr(layer, "reset_parameters") for layer in classifier.modules()):
        raise ValueError("the classifier has no layer with reset_parameters, expected one to randomise.")
    check_images(images, targets)
    try:
        import quantus
    except ImportError as error:
        raise ImportError(
            f"{error}. Quantus randomises the weights: `pip install quantus`; its OpenCV needs libGL."
        ) from error

    def explain(model: torch.nn.Module, inputs: Array, targets: Targets) -> npt.NDArray[np.float64]:
        maps = explained(explainer(model), inputs.astype(np.float32), np.asarray(targets, np.int64))
        blank.append((maps == 0).all((1, 2)))
        if blank[0].any():
            raise ValueError("a heatmap of the trained classifier is all 0, expected an attribution.")
        maps[blank[-1]] = np.arange(maps[0].size).reshape(maps[0].shape)  # Quantus would refuse all of them
        return maps[:, None]

    blank: list[npt.NDArray[np.bool_]] = []
    metric = getattr(quantus, name)(seed=seed, disable_warnings=True, **options)
    with torch.random.fork_rng():  # it seeds PyTorch's own generator
        found = metric(
            model=classifier,
            x_batch=images.copy(),
            y_batch=targets,
            channel_first=True,
            explain_func=explain,
            batch_size=len(images),  # so that there is one explainer for each layer
        )
    return found, blank
