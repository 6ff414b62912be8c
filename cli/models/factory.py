"""MODEL path/to/file.py:factory: a function of the user's own that builds the model."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from smoothserve.handlers.suggestion import did_you_mean
from torch import nn

from ..errors import UsageError
from ..weights import fit_weights
from .named import NamedModel, Wanted
from .program import image_of
from .stated import labels_of, preprocessing_of

FORM = "FILE.py:FUNCTION"
HELP = """\
path/to/file.py:factory     a function of yours that returns a torch.nn.Module, or
                              (module, preprocessing), or (module, preprocessing, labels)"""

_LISTED = 20  # functions of a file, in an error


def recognises(spec: str) -> bool:
    return ":" in spec and spec.rsplit(":", 1)[0].endswith(".py")


def meant(spec: str) -> list[str]:
    return []


def load(spec: str, wanted: Wanted) -> NamedModel:
    if wanted.classes is not None:
        raise UsageError(
            "--classes is for torchvision and timm models; let your factory build a head of "
            f"{wanted.classes} classes."
        )
    file, function = spec.rsplit(":", 1)
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"{path} does not exist; expected path/to/file.py:factory.")
    # what the user's code prints is no result of the command
    with _importing_from(path.resolve().parent), _blaming(spec, path), redirect_stdout(sys.stderr):
        factory = _factory(_module(path), function, path)
        made = factory()
    given, preprocessing, labels = _parts(made, spec)
    classifier = _module_of(given, spec)
    notes = () if wanted.weights is None else fit_weights(classifier, wanted.weights, spec)
    own, origin, more = preprocessing_of(preprocessing, classifier, wanted.size, spec)
    return NamedModel(
        classifier=classifier if isinstance(given, torch.export.ExportedProgram) else classifier.eval(),
        name=function,
        preprocessing=own,
        labels=labels_of(labels, classifier, spec),
        origin=origin,
        notes=(*notes, *more),
    )


def _parts(made: Any, spec: str) -> tuple[Any, Any, Any]:
    """Module, preprocessing and labels, None where they are left out."""
    if not isinstance(made, tuple):
        return made, None, None
    if not 1 <= len(made) <= 3:
        raise UsageError(
            f"{spec} returned {len(made)} values, expected module, (module, preprocessing) or "
            "(module, preprocessing, labels)."
        )
    return (*made, *(None,) * (3 - len(made)))


def _module_of(made: Any, spec: str) -> nn.Module:
    """The module itself, out of what PyTorch wraps around one."""
    if isinstance(made, torch.export.ExportedProgram):
        image_of(made, spec)
        return made.module()
    if isinstance(made, nn.DataParallel):
        made = made.module
    made = getattr(made, "_orig_mod", made)  # of torch.compile
    if not isinstance(made, nn.Module):
        raise UsageError(
            f"{spec} returned {type(made).__name__}, expected a torch.nn.Module"
            f"{'; call it, or name the function that does' if isinstance(made, type) else ''}."
        )
    return made


def _module(path: Path) -> ModuleType:
    name = f"_smoothserve_model_{path.stem}"
    module_spec = importlib.util.spec_from_file_location(name, path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up
    module_spec.loader.exec_module(module)
    return module


def _factory(module: ModuleType, function: str, path: Path) -> Callable[[], Any]:
    factory = getattr(module, function, None)
    if callable(factory):
        return factory  # type: ignore[no-any-return]  # whatever the user's module has by that name
    own = [
        name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__
    ]
    names = [name for name in own if callable(getattr(module, name)) and not name.startswith("_")]
    names.sort(key=lambda name: isinstance(getattr(module, name), type))  # functions before classes
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    listed = f" It defines {', '.join(names[:_LISTED])}{more}." if names else ""
    raise UsageError(f"{path} defines no function {function!r}{did_you_mean(function, names) or '.'}{listed}")


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """While the file and its function run, modules beside it can be imported."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _blaming(spec: str, path: Path) -> Iterator[None]:
    """An error of the user's code is shown with its file and line."""
    try:
        yield
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"{spec} failed with {type(error).__name__}: {error} ({_line(error, path)})."
        ) from error


def _line(error: BaseException, path: Path) -> str:
    """``nets.py:12``: the innermost line in the file, or in code beside it."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    folder = str(path.resolve().parent)
    beside = [frame for frame in frames if str(Path(frame.filename).resolve()).startswith(folder)]
    own = [frame for frame in beside if "site-packages" not in frame.filename]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else str(path)
