"""MODEL hf:FOLDER or hf:NAME: image classifiers of transformers, with their image processor and labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from smoothserve.export import Preprocessing, default_preprocessing, require

from ..errors import UsageError
from ..weights import fit_weights
from .named import NamedModel, Wanted
from .photos import at_size
from .processor import of_processor

FORM = "hf:FOLDER-OR-NAME"
HELP = "hf:path/to/folder           an image classifier of transformers: a local folder, or a name on the hub"
_PREFIX = "hf:"


def recognises(spec: str) -> bool:
    return spec.startswith(_PREFIX)


def meant(spec: str) -> list[str]:
    return []  # there is no list of names without a network


def load(spec: str, wanted: Wanted) -> NamedModel:
    require("transformers", "hf", f"{spec} is a model of transformers, which")
    if wanted.classes is not None:
        raise UsageError("hf: models say themselves how many classes they have; leave out --classes.")
    name = spec.removeprefix(_PREFIX)
    if name.startswith((".", "/", "~")) and not Path(name).expanduser().is_dir():
        raise UsageError(f"The folder {name} does not exist; expected hf:FOLDER with a config.json in it.")
    path = str(Path(name).expanduser()) if Path(name).expanduser().is_dir() else name
    with _quietly():
        classifier, notes = _classifier(spec, path, wanted)
        stated = _stated_preprocessing(path)
    origin = None if stated is None else "the model's image processor"
    size = wanted.size or _config_size(classifier.config)
    if stated is None:
        stated = _assumed(classifier.config, size), ()
    own, more = stated
    return NamedModel(
        classifier=classifier.eval(),
        name=Path(path).resolve().name if Path(path).is_dir() else name.rpartition("/")[2],
        preprocessing=at_size(own, wanted.size),
        labels=labels_of(classifier.config),
        origin=origin,
        notes=(*notes, *more),
    )


def labels_of(config: Any) -> tuple[str, ...] | None:
    """The names in ``id2label``; None where they are transformers' LABEL_0, LABEL_1, ..."""
    names = getattr(config, "id2label", None)
    if not isinstance(names, Mapping) or not names:
        return None
    labels = tuple(str(names[key]) for key in sorted(names, key=int))
    return None if all(re.fullmatch(r"LABEL_\d+", label) for label in labels) else labels


def _classifier(spec: str, path: str, wanted: Wanted) -> tuple[Any, tuple[str, ...]]:
    from transformers import AutoConfig, AutoModelForImageClassification

    try:
        if wanted.weights is not None:
            config = AutoConfig.from_pretrained(path)
            classifier = AutoModelForImageClassification.from_config(config, dtype=torch.float32)
            return classifier, fit_weights(classifier, wanted.weights)
        classifier, found = AutoModelForImageClassification.from_pretrained(
            path, dtype=torch.float32, output_loading_info=True
        )
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(_why(spec, path, error)) from error
    _check_complete(spec, found)
    return classifier, ()


def _check_complete(spec: str, found: Mapping[str, Any]) -> None:
    """transformers fills what is missing, or has another shape, with random numbers."""
    absent = sorted({*map(str, found["missing_keys"]), *(str(key[0]) for key in found["mismatched_keys"])})
    if absent:
        raise UsageError(
            f"{spec} holds no weights for {', '.join(absent[:3])}{' ...' if len(absent) > 3 else ''}, so it "
            "is no trained classifier: fine-tune it first, or give --weights FILE."
        )


def _why(spec: str, path: str, error: Exception) -> str:
    if "Unrecognized configuration class" in str(error):
        kind = re.search(r"configuration class <class '[\w.]*?(\w+)'>", str(error))
        return (
            f"{spec} is a {kind[1].removesuffix('Config') if kind else 'model'}, which transformers has no "
            "image classifier for (AutoModelForImageClassification)."
        )
    if isinstance(error, OSError) and not Path(path).is_dir():
        return (
            f"{spec} is no local folder, and cannot be downloaded. Give the path of a folder made by "
            "model.save_pretrained(FOLDER) and processor.save_pretrained(FOLDER), or fetch it where there is "
            "a network."
        )
    return f"{spec} cannot be loaded: {type(error).__name__}: {str(error).splitlines()[0]}"


def _stated_preprocessing(path: str) -> tuple[Preprocessing, tuple[str, ...]] | None:
    """As the model's image processor says; None where it has none."""
    from transformers import AutoImageProcessor

    folder = Path(path)
    if folder.is_dir() and not any(
        (folder / f"{n}_config.json").is_file() for n in ("preprocessor", "processor")
    ):
        return None
    try:
        return of_processor(AutoImageProcessor.from_pretrained(path))
    except OSError:
        return None
    except Exception as error:
        raise UsageError(
            f"The image processor of {path} cannot be read: {type(error).__name__}: {error} Take "
            "preprocessor_config.json away, and say what is in it with --mean, --std, --resize."
        ) from error


def _config_size(config: Any) -> tuple[int, int]:
    size = getattr(config, "image_size", None) or 224
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _assumed(config: Any, size: tuple[int, int]) -> Preprocessing:
    return default_preprocessing((int(getattr(config, "num_channels", 3)), *size))


@contextmanager
def _quietly() -> Iterator[None]:
    """Without transformers' own progress bars and advice on stderr."""
    from transformers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        logging.enable_progress_bar()
