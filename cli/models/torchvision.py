"""MODEL torchvision:NAME: architectures of torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smoothserve.export import Preprocessing
from smoothserve.handlers.suggestion import near

from ..errors import UsageError
from ..weights import fit_weights
from .named import PRETRAINED, NamedModel, Wanted
from .photos import at_size

FORM = "torchvision:NAME"
HELP = "torchvision:resnet50        an architecture of torchvision; give its weights with --weights"
_PREFIX = "torchvision:"
_OTHERS = {
    "segmentation": "a segmentation network, which scores the classes of each pixel. To explain the classes "
    "of the whole image, put it into a module whose forward(image) returns their mean over rows and columns, "
    "['out'].mean((2, 3)), and name the function that returns that one, path/to/file.py:factory",
    "detection": "a detector, which returns boxes; explanations are of classifiers",
    "video": "a network for videos; explanations are of classifiers of single images",
    "optical_flow": "a network for optical flow; explanations are of classifiers",
    "quantization": "quantised, and whole numbers have no derivative; explain the float model it was made of",
}  # what the parts of torchvision.models hold beside classifiers


def recognises(spec: str) -> bool:
    return spec.startswith(_PREFIX)


def meant(spec: str) -> list[str]:
    return [_PREFIX + name for name in near(spec, _names(), 1)]


def load(spec: str, wanted: Wanted) -> NamedModel:
    from torchvision import models

    name = spec.removeprefix(_PREFIX)
    if name not in _names():
        _refuse_others(name)
        known = near(name, _names(), 6) or _names()
        raise UsageError(
            f"torchvision has no classifier {name!r}; did you mean {', '.join(known[:6])}? "
            "torchvision.models.list_models() lists them."
        )
    options: dict[str, Any] = {} if wanted.classes is None else {"num_classes": wanted.classes}
    file = None if wanted.weights == PRETRAINED else wanted.weights
    random = wanted.weights is None
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = random
        # ImageNet weights of these two expect the input shifted inside of the network, as torchvision
        # itself arranges when it loads them.
        options["transform_input"] = not random
    preset = _preset(name, file)
    if wanted.size is not None and len({*wanted.size}) == 1 and name.startswith("vit_"):
        options["image_size"] = wanted.size[0]  # positions are learnt for one size
    if wanted.weights == PRETRAINED:
        classifier = _downloaded(name, preset, options)
    else:
        classifier = models.get_model(name, weights=None, **options)
    notes = () if file is None else fit_weights(classifier, file, "--classes")
    if random:
        notes = (random_weights(spec),)
    return NamedModel(
        classifier=classifier.eval(),
        name=name,
        preprocessing=at_size(of_transforms(preset.transforms()), wanted.size),
        labels=tuple(preset.meta["categories"]) if wanted.classes in (None, 1000) else None,
        origin=f"torchvision's {preset}",
        notes=notes,
    )


def random_weights(spec: str) -> str:
    """What is said of an architecture without weights."""
    return (
        f"note: {spec} without --weights has random weights; its predictions and heatmaps mean nothing. "
        "--weights pretrained downloads the library's."
    )


def of_transforms(transforms: Any) -> Preprocessing:
    """Of torchvision's preset ``ImageClassification``, as ``weights.transforms()`` gives it."""
    (resize,), (crop,) = transforms.resize_size, transforms.crop_size
    return Preprocessing(
        resize=resize,
        crop=(crop, crop),
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
        interpolation=transforms.interpolation.value,
    )


def _refuse_others(name: str) -> None:
    """Raise UsageError with what it is, if torchvision has it, but not as a classifier."""
    from torchvision import models

    if name in models.list_models():
        part = models.get_model_builder(name).__module__.split(".")[2]
        raise UsageError(f"{_PREFIX}{name} is {_OTHERS.get(part, 'no classifier of images')}.")


def _names() -> list[str]:
    from torchvision import models

    return list(models.list_models(module=models))


def _preset(name: str, file: Path | None) -> Any:
    """The weights whose file this is, by its name; else the architecture's default ones."""
    from torchvision import models

    known = models.get_model_weights(name)
    named = [preset for preset in known if file is not None and Path(preset.url).name == file.name]
    return named[0] if named else known.DEFAULT


def _downloaded(name: str, preset: Any, options: dict[str, Any]) -> Any:
    from torchvision import models

    if "num_classes" in options:
        raise UsageError("--weights pretrained has ImageNet's 1000 classes; leave out --classes.")
    try:
        return models.get_model(name, weights=preset)
    except OSError as error:
        raise UsageError(
            f"The weights of torchvision:{name} cannot be downloaded ({error}). Download {preset.url} where "
            f"there is a network, and give --weights {Path(preset.url).name}."
        ) from error
