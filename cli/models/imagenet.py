"""The class names of ImageNet."""

from __future__ import annotations


def imagenet_labels() -> tuple[str, ...]:
    """The 1000 class names of ImageNet-1k, as torchvision has them."""
    from torchvision.models._meta import _IMAGENET_CATEGORIES

    return tuple(_IMAGENET_CATEGORIES)
