"""Weights files, read without running code from them."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from torch import Tensor

from .errors import UsageError


def load_weights(path: Path) -> dict[str, Tensor]:
    """The state dict in a .safetensors, .pth or .pt file.

    Checkpoints that wrap it under ``state_dict`` or ``model`` are unwrapped; the ``module.`` that
    DataParallel puts before each name is removed.

    Raises:
        UsageError: no such file, not a state dict, or one that only pickle's code execution loads.
    """
    if not path.is_file():
        raise UsageError(f"The weights file {path} does not exist.")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            state = dict(load_file(path))
        except (SafetensorError, OSError) as error:
            raise UsageError(f"{path} is no valid safetensors file: {error}") from error
    else:
        state = _torch_file(path)
    for wrapper in ("state_dict", "model"):
        if isinstance(state.get(wrapper), dict):
            state = state[wrapper]  # type: ignore[assignment]
    if not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UsageError(
            f"{path} holds no state dict (names -> tensors). "
            "Save it with torch.save(model.state_dict(), ...)."
        )
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    return state


def _torch_file(path: Path) -> dict[str, Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{path} cannot be loaded without running code from it, which is refused. Save only the weights: "
            "torch.save(model.state_dict(), ...) or safetensors."
        ) from error
    except Exception as error:
        raise UsageError(f"{path} is no readable weights file: {error}") from error
    if not isinstance(state, dict):
        raise UsageError(f"{path} holds {type(state).__name__}, expected a state dict (names -> tensors).")
    return state
