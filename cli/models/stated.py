"""What a model, or the factory that made it, says of its preprocessing and labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from smoothserve.export import Preprocessing, default_preprocessing
from smoothserve.handlers.errors import CardError
from smoothserve.handlers.suggestion import did_you_mean
from torch import nn

from ..errors import UsageError
from ..labels import in_order
from . import hf, timm, torchvision
from .photos import at_size, check_scale
from .processor import of_processor

_FIELDS = tuple(field.name for field in dataclasses.fields(Preprocessing))
Stated = tuple[Preprocessing, tuple[str, ...]]  # and notes on what cannot be said in it


def preprocessing_of(
    value: Any, classifier: nn.Module, size: tuple[int, int] | None, where: str
) -> tuple[Preprocessing, str | None, tuple[str, ...]]:
    """How a photo becomes the input, who says so, and notes. Nobody: ImageNet's habits, and None.

    Args:
        value: what a factory returned beside the module, or None.
        classifier: it may have an attribute ``preprocessing``, or timm's ``pretrained_cfg``.
        size: (height, width), if the command line gives one.
        where: the factory, for errors.
    """
    said = f"what {where} returns"
    if value is None:
        value, said = _attribute(classifier, "preprocessing"), f"the attribute 'preprocessing' of {where}"
    if value is not None:
        try:
            own, notes = _read(value, size, said)
        except CardError as error:
            raise UsageError(f"{said}: {error}") from error
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise UsageError(
                f"{said} cannot be read ({type(error).__name__}: {error}): {value!r:.200}. Expected mean and "
                "std as numbers in [0, 1], crop as (height, width) in pixels; "
                f"the fields are {', '.join(_FIELDS)}."
            ) from error
        return at_size(own, size), said, notes
    if isinstance(config := getattr(classifier, "pretrained_cfg", None), Mapping) and "input_size" in config:
        own, notes = timm.of_config(config)
        return at_size(own, size), "timm's pretrained_cfg", notes
    channels, height, width = 3, *(size or _own_size(classifier))
    return default_preprocessing((channels, height, width)), None, ()


def labels_of(value: Any, classifier: nn.Module, where: str) -> tuple[str, ...] | None:
    """Class names: those given, the module's attribute, or what timm and transformers keep."""
    if value is None:
        value = _attribute(classifier, "labels")
    if value is None:
        config = getattr(classifier, "pretrained_cfg", None)
        found = timm.labels_of(classifier) if isinstance(config, Mapping) else None
        return found or hf.labels_of(getattr(classifier, "config", None))
    if isinstance(value, Mapping):
        value = in_order(value, f"The labels of {where}")
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise UsageError(
            f"The labels of {where} are of type {type(value).__name__}, expected a list of class names."
        )
    return tuple(map(str, value))


def _attribute(classifier: nn.Module, name: str) -> Any:
    """What a module says of itself; its layers and methods may have the same name."""
    value = getattr(classifier, name, None)
    layer = isinstance(value, nn.Module) and not hasattr(value, "resize_size")  # torchvision's is a module
    return None if layer or (callable(value) and not isinstance(value, nn.Module)) else value


def _own_size(classifier: nn.Module) -> tuple[int, int]:
    size = getattr(getattr(classifier, "config", None), "image_size", None)
    return (size, size) if isinstance(size, int) else (224, 224)


def _read(value: Any, size: tuple[int, int] | None, where: str) -> Stated:
    if isinstance(value, Preprocessing):
        return _checked(value, where), ()
    if isinstance(value, Mapping) and "input_size" in value:
        return timm.of_config(value)
    if isinstance(value, Mapping):
        return _of_fields(value, size, where), ()
    if hasattr(value, "crop_size") and hasattr(value, "resize_size"):
        return torchvision.of_transforms(value), ()
    if hasattr(value, "image_mean"):
        return of_processor(value)
    raise UsageError(
        f"{where} is of type {type(value).__name__}, expected a smoothserve.export.Preprocessing, a dict of "
        f"its fields ({', '.join(_FIELDS)}), torchvision's weights.transforms(), timm's data config, or an "
        "image processor of transformers."
    )


def _of_fields(fields: Mapping[str, Any], size: tuple[int, int] | None, where: str) -> Preprocessing:
    """What a dict leaves out is as ImageNet has it."""
    for name in fields:
        if name not in _FIELDS:
            raise UsageError(
                f"{where} has {name!r}, no field of Preprocessing{did_you_mean(str(name), _FIELDS)}; "
                f"there are {', '.join(_FIELDS)}."
            )
    values = dict(fields)
    crop = values.pop("crop", size or (224, 224))
    crop = (crop, crop) if isinstance(crop, int) else tuple(crop)
    channels = values.get("channels", "RGB")
    count = _planes(values) if channels == "planes" else len(str(channels))
    for name in ("mean", "std"):
        if name in values:
            given = values[name]
            values[name] = (
                (float(given),) * count if isinstance(given, (int, float)) else tuple(map(float, given))
            )
    base = default_preprocessing((count, *crop))
    return _checked(dataclasses.replace(base, **values), where)


def _planes(values: Mapping[str, Any]) -> int:
    """How many channels the lists of numbers have."""
    return max(
        (len(value) for name in ("mean", "std") if isinstance(value := values.get(name), Sequence)), default=1
    )


def _checked(preprocessing: Preprocessing, where: str) -> Preprocessing:
    if preprocessing.channels != "planes":
        check_scale(preprocessing.mean, preprocessing.std, where)
    return preprocessing
