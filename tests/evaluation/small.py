"""A small network, images and its explainer, with slow heatmaps, and what Quantus says of them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from smoothserve.evaluation import Explain, explained_by
from smoothserve.evaluation.predict import Array, Targets
from torch import nn

from tests.networks import tiny

Maps = npt.NDArray[np.float64]

NETWORK = tiny("squeeze-excite", torch.float32)
IMAGES: Array = np.random.default_rng(4).standard_normal((3, 3, 12, 12)).astype(np.float32)
TARGETS: Targets = np.array([0, 3, 1])


def gradients(classifier: nn.Module) -> Explain:
    """L2 norms of gradients, by autograd."""

    def attribute(images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        (found,) = torch.autograd.grad(classifier(images)[torch.arange(len(images)), targets].sum(), images)
        return found

    return explained_by(attribute)


def slow_map(image: Array, target: int, network: nn.Module = NETWORK) -> Maps:
    """The same for one image, ``[H, W]``."""
    x = torch.from_numpy(image[None]).requires_grad_()
    network(x)[0, target].backward()
    assert x.grad is not None
    return x.grad[0].double().pow(2).sum(0).sqrt().numpy()


def by_quantus(name: str, image: Array, target: int, model: nn.Module = NETWORK, **given: Any) -> Any:
    """Its value for one image, since it scales several by one maximum; ``options`` are the metric's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # It wants OpenCV, and that libGL, which servers do not always have.
        quantus = pytest.importorskip("quantus", exc_type=ImportError)
        metric = getattr(quantus, name)(disable_warnings=True, **given.pop("options", {}))
        arrays = {"a_batch": None, "s_batch": None, **given}
        (value,) = metric(
            model=model,
            x_batch=image[None].copy(),
            y_batch=np.array([target]),
            channel_first=True,
            **arrays,
        )
    return value


def for_quantus(model: nn.Module, inputs: Array, targets: Targets) -> Maps:
    """An ``explain_func``."""
    return gradients(model)(inputs.astype(np.float32), np.asarray(targets))[:, None].astype(np.float64)
