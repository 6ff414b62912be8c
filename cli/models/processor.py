"""From an image processor of transformers to Preprocessing."""

from __future__ import annotations

from typing import Any

from smoothserve.export import Preprocessing
from smoothserve.handlers.card import INTERPOLATIONS

_RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # as Pillow numbers them
_WARPED_FROM = 384  # pixels: ConvNeXt's processor crops smaller images, and warps larger ones


def of_processor(processor: Any) -> tuple[Preprocessing, tuple[str, ...]]:
    """What the processor does to a photo; and notes on what cannot be said in a Preprocessing."""
    resize, crop, notes = _geometry(processor)
    mean, std = _normalisation(processor)
    interpolation = _interpolation(getattr(processor, "resample", None))
    if interpolation is None:
        notes.append("note: the image processor resizes by a filter that is unknown here; bilinear is taken.")
    if getattr(processor, "do_flip_channel_order", None):
        mean, std = mean[::-1], std[::-1]  # said in the order of RGB's planes after the flip
    channels = {1: "L", 3: "BGR" if getattr(processor, "do_flip_channel_order", None) else "RGB"}
    preprocessing = Preprocessing(
        resize,
        crop,
        mean=mean,
        std=std,
        interpolation=interpolation or "bilinear",
        channels=channels.get(len(mean), "planes"),
    )
    return preprocessing, tuple(notes)


def _interpolation(resample: Any) -> str | None:
    """Pillow's number, or torchvision's mode; None where it is neither a known one."""
    value = getattr(resample, "value", resample)
    return _RESAMPLE.get(value, value if value in INTERPOLATIONS else None)


def _geometry(processor: Any) -> tuple[int | None, tuple[int, int], list[str]]:
    """Shorter side or None, crop, and notes."""
    size = _sides(processor, "size") if getattr(processor, "do_resize", True) else None
    cut = _sides(processor, "crop_size") if getattr(processor, "do_center_crop", None) else None
    cut = (cut, cut) if isinstance(cut, int) else cut
    fraction = getattr(processor, "crop_pct", None)
    notes: list[str] = []
    if isinstance(size, int) and fraction and cut is None:
        crop = (size, size)
        return (None if size >= _WARPED_FROM else int(size / fraction)), crop, notes
    if isinstance(size, int):
        crop = cut or (size, size)
        if cut is None:
            notes.append("note: the image processor keeps a photo's proportions; its middle square is taken.")
        if size < max(crop):
            notes.append(
                f"note: the image processor pads what it cuts out; photos are resized to {max(crop)}."
            )
        return max(size, *crop), crop, notes
    if size is None:
        crop = cut or (224, 224)
        notes.append("note: the image processor names no size to resize to; the usual margin is taken.")
        return round(max(crop) / 0.875), crop, notes
    if cut is not None and cut != size:
        notes.append(
            f"note: the image processor warps photos to {size[0]} x {size[1]} before the crop; their "
            "proportions are kept instead."
        )
        return max(*size, *cut), cut, notes
    return None, size, notes


def _sides(processor: Any, name: str) -> tuple[int, int] | int | None:
    """(height, width); or the shorter side alone; or None."""
    given = getattr(processor, name, None)
    if given is None or isinstance(given, int):
        return given
    sides = given if isinstance(given, dict) else vars(given)
    if sides.get("height") and sides.get("width"):
        return int(sides["height"]), int(sides["width"])
    shortest = sides.get("shortest_edge")
    return None if shortest is None else int(shortest)


def _normalisation(processor: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation for values in [0, 1], whatever the processor's factor and offset are."""
    factor = processor.rescale_factor if getattr(processor, "do_rescale", True) else 1.0
    span = 255 * factor  # what white becomes
    offset = 1.0 if getattr(processor, "rescale_offset", None) and span > 0 else 0.0
    normalise = getattr(processor, "do_normalize", None)
    mean = tuple(processor.image_mean) if normalise else (0.0,) * 3
    std = tuple(processor.image_std) if normalise else (1.0,) * 3
    scaled_mean = tuple((value + offset) / span for value in mean)
    # EfficientNet's classifiers divide by the deviation once more
    again = processor.image_std if getattr(processor, "include_top", None) else (1.0,) * len(std)
    scaled_std = tuple(value * once / span for value, once in zip(std, again, strict=True))
    return scaled_mean, scaled_std
