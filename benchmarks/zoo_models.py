"""Which classifiers the sweep measures, listed by code."""

from __future__ import annotations

import warnings

import torch


def torchvision_models() -> list[str]:
    """All image classifiers of torchvision, small ones first."""
    from torchvision import models

    names = models.list_models(module=models)
    sizes = {n: models.get_model_weights(n).DEFAULT.meta["num_params"] for n in names}
    return [f"torchvision:{n}" for n in sorted(names, key=lambda n: sizes[n])]


def timm_models() -> list[str]:
    """The model with the fewest parameters of each timm module (family), small ones first.

    Left out: models that only encode (they have no class scores, whatever ``num_classes`` says) and timm's
    own ``test_*`` miniatures, which stand for nothing that is used.
    """
    import timm

    chosen: dict[str, int] = {}
    for family in timm.list_modules():
        sizes = {}
        for name in timm.list_models(module=family):
            if name.startswith("test_") or name.endswith("_enc") or _is_encoder(name):
                continue
            size = _parameters(name)
            if size is not None:
                sizes[name] = size
        if sizes:
            smallest = min(sizes, key=lambda n: sizes[n])
            chosen[f"timm:{smallest}"] = sizes[smallest]
    return sorted(chosen, key=lambda n: chosen[n])


def _is_encoder(name: str) -> bool:
    import timm

    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return config is not None and config.num_classes == 0


def _parameters(name: str) -> int | None:
    """How many parameters a model has, without making them; None where it can't be built so."""
    import timm

    try:
        with warnings.catch_warnings(), torch.device("meta"):
            warnings.simplefilter("ignore")
            model = timm.create_model(name, pretrained=False, num_classes=10)
    except Exception:
        return None
    return sum(parameter.numel() for parameter in model.parameters())
