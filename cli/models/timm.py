"""MODEL timm:NAME: architectures of timm, with the preprocessing that timm keeps beside each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from smoothserve.export import Preprocessing, require
from smoothserve.handlers.card import INTERPOLATIONS
from smoothserve.handlers.suggestion import near

from ..errors import UsageError
from ..weights import fit_weights
from .imagenet import imagenet_labels
from .named import PRETRAINED, NamedModel, Wanted
from .photos import at_size
from .torchvision import random_weights

FORM = "timm:NAME"
HELP = "timm:vit_tiny_patch16_224   an architecture of timm; give its weights with --weights"
_PREFIX = "timm:"


def recognises(spec: str) -> bool:
    return spec.startswith(_PREFIX)


def meant(spec: str) -> list[str]:
    if find_spec("timm") is None:
        return []
    import timm

    return [_PREFIX + name for name in near(spec, timm.list_models(), 1)]


def load(spec: str, wanted: Wanted) -> NamedModel:
    require("timm", "timm", f"{spec} is a model of timm, which")
    name = spec.removeprefix(_PREFIX)
    classifier = _created(name, wanted)
    preprocessing, notes = of_config(classifier.pretrained_cfg)
    if wanted.weights is None:
        notes = (*notes, random_weights(spec))
    elif wanted.weights != PRETRAINED:
        notes = (*notes, *fit_weights(classifier, wanted.weights, "--classes"))
    return NamedModel(
        classifier=classifier.eval(),
        name=name,
        preprocessing=at_size(preprocessing, wanted.size),
        labels=labels_of(classifier) if wanted.classes is None else None,
        origin="timm's pretrained_cfg",
        notes=notes,
    )


def of_config(config: Mapping[str, Any]) -> tuple[Preprocessing, tuple[str, ...]]:
    """Of timm's data config or pretrained_cfg, as timm evaluates with it; and what it cannot say."""
    channels, height, width = config["input_size"]
    resize: int | None = math.floor(max(height, width) / config["crop_pct"])
    mode, interpolation = config.get("crop_mode") or "center", config["interpolation"]
    notes = []
    if mode == "squash":
        resize = None
    if mode == "border" or (mode == "squash" and config["crop_pct"] < 1):
        notes.append(f"note: timm resizes for this model with crop_mode {mode!r}; the nearest way is taken.")
    if interpolation not in INTERPOLATIONS:
        notes.append(f"note: timm resizes for this model by {interpolation!r}; bilinear is taken.")
        interpolation = "bilinear"
    colours = {1: "L", 3: "RGB"}.get(channels)
    mean, std = tuple(config["mean"]), tuple(config["std"])
    preprocessing = Preprocessing(
        resize if colours else None,
        (height, width),
        mean=mean if len(mean) == channels else (mean * channels)[:channels],
        std=std if len(std) == channels else (std * channels)[:channels],
        interpolation=interpolation,
        channels=colours or "planes",
    )
    return preprocessing, tuple(notes)


def labels_of(classifier: Any) -> tuple[str, ...] | None:
    """Names of ImageNet's classes, if the head has as many and was trained on them."""
    config = classifier.pretrained_cfg
    count = getattr(classifier, "num_classes", None)
    if count != config.get("num_classes"):
        return None
    if config.get("label_names"):
        return tuple(config["label_names"])
    if count == 1000:
        return imagenet_labels()
    from timm.data import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(classifier)
    if not subset:
        return None
    info = ImageNetInfo(subset)
    return tuple(info.index_to_description(index) for index in range(info.num_classes()))


def _created(name: str, wanted: Wanted) -> Any:
    import timm

    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        known = near(architecture, timm.list_models()) or ["resnet18"]
        raise UsageError(
            f"timm has no model {name!r}; did you mean {', '.join(known)}? timm.list_models() lists them."
        )
    options: dict[str, Any] = {} if wanted.classes is None else {"num_classes": wanted.classes}
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    if wanted.size is not None and config is not None and config.fixed_input_size:
        options["img_size"] = wanted.size
    pretrained = wanted.weights == PRETRAINED
    try:
        return timm.create_model(name, pretrained=pretrained, **options)
    except Exception as error:
        what = "downloaded" if pretrained else "built"
        raise UsageError(f"timm:{name} cannot be {what}: {type(error).__name__}: {error}") from error
