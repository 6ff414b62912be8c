"""Weights files, read without running code from them, into a classifier."""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoint import best_fit, mismatch, state_dicts
from .errors import UsageError


def fit_weights(classifier: nn.Module, path: Path, head: str = "") -> tuple[str, ...]:
    """Load the weights file into the classifier.

    Args:
        classifier: its weights are replaced.
        path: a .safetensors, .pth or .pt file; a checkpoint may wrap its state dict, and names may have
            prefixes that the classifier's have not.
        head: the flag, or the function, that changes the number of classes, for errors.

    Returns:
        A line for the person at the terminal, where something was unwrapped, renamed or left out.

    Raises:
        UsageError: no such file, not a state dict, or one that doesn't fit.
    """
    found = state_dicts(_content(path))
    if not found:
        raise UsageError(
            f"{path} holds no state dict (names -> tensors). "
            "Save it with torch.save(model.state_dict(), ...)."
        )
    wanted = classifier.state_dict()
    fit = best_fit(found, wanted)
    problem = mismatch(fit.tensors, wanted, head)
    if problem:
        done = f" ({'; '.join(fit.done)}.)" if fit.done else ""
        raise UsageError(f"{path} does not fit the model: {problem}{done}")
    classifier.load_state_dict(fit.tensors)
    return (f"note: {path}: {'; '.join(fit.done)}.",) if fit.done else ()


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UsageError(f"The weights file {path} does not exist.")
    if path.suffix != ".safetensors":
        return _torch_file(path)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{path} is no valid safetensors file: {error}") from error


def _torch_file(path: Path) -> dict[str, Any]:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # training scripts save their options
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path} cannot be loaded without running code from it, which is refused: it holds a whole "
            "model, or other objects. Save only the weights, torch.save(model.state_dict(), ...) or "
            "safetensors; or let a function of yours load and return the model: path/to/file.py:factory."
        ) from error
    except Exception as error:
        if "TorchScript" in str(error):
            raise UsageError(
                f"{path} is a TorchScript file; give a state dict: "
                f"torch.save(torch.jit.load({str(path)!r}).state_dict(), 'weights.pth')."
            ) from error
        raise UsageError(f"{path} is no readable weights file: {error}") from error
    if isinstance(state, Tensor) or not isinstance(state, dict):
        raise UsageError(f"{path} holds {type(state).__name__}, expected a state dict (names -> tensors).")
    return state
