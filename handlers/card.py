"""The card: what an explanation model says about itself, stored as JSON inside the .onnx file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .errors import CardError, NoCardError

METADATA_KEY = "smoothserve.card"
FORMAT = 2
READABLE = (1, 2)  # 1 knew logits of exclusive classes alone
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")
PHOTO_CHANNELS = ("RGB", "BGR", "L")
CHANNELS = (*PHOTO_CHANNELS, "planes")
DTYPES = ("float32", "float16")
OUTPUTS = ("exclusive", "independent", "probabilities", "values")


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes the network's input.

    The shorter side is resized to ``resize`` pixels, the middle ``crop`` is cut out, values are
    scaled to [0, 1], then ``(value - mean) / std`` for each channel. Images of other than one or three
    channels are ``planes``: arrays ``[C, *crop]`` of any scale, of which only mean and deviation are taken
    out.

    Attributes:
        resize: length of the shorter side, in pixels; None resizes the whole photo to ``crop``.
        crop: (height, width) of the network's input, in pixels.
        mean: subtracted from values in [0, 1]; one number for each channel, in the order of ``channels``.
        std: divided by afterwards; likewise.
        interpolation: one of ``INTERPOLATIONS``.
        channels: one of ``CHANNELS``.
    """

    resize: int | None
    crop: tuple[int, int]
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"
    channels: str = "RGB"

    def __post_init__(self) -> None:
        expected = len(self.mean) if self.channels == "planes" else len(self.channels)
        if self.channels not in CHANNELS:
            raise CardError(f"channels={self.channels!r}, expected one of {', '.join(CHANNELS)}.")
        if self.interpolation not in INTERPOLATIONS:
            raise CardError(
                f"interpolation={self.interpolation!r}, expected one of {', '.join(INTERPOLATIONS)}."
            )
        if len(self.mean) != expected or len(self.std) != expected:
            raise CardError(
                f"mean has {len(self.mean)} and std {len(self.std)} numbers, expected {expected} for "
                f"{self.channels}."
            )
        if any(not value > 0 for value in self.std):
            raise CardError(f"std={list(self.std)}, expected numbers > 0.")
        if self.resize is not None and self.resize < max(self.crop):
            raise CardError(
                f"resize={self.resize} is smaller than the crop {list(self.crop)}; expected at least "
                f"{max(self.crop)}."
            )

    def __str__(self) -> str:
        """What is done to a photo, in one line."""
        height, width = self.crop
        numbers = f"mean {_listed(self.mean)}, std {_listed(self.std)}"
        if self.channels == "planes":
            return f"an array [{len(self.mean)}, {height}, {width}] as it comes, {numbers}"
        scale = f"the whole photo to {height} x {width}"
        if self.resize is not None:
            scale = f"shorter side to {self.resize}, its middle {height} x {width}"
        return f"{self.channels}, {scale}, {self.interpolation}; values in [0, 1], {numbers}"

    @classmethod
    def of_planes(cls, channels: int, size: tuple[int, int]) -> Preprocessing:
        """Of arrays ``[channels, *size]`` that are taken as they come."""
        return cls(None, size, mean=(0.0,) * channels, std=(1.0,) * channels, channels="planes")

    @property
    def span(self) -> float | None:
        """How far black and white are apart in the network's input, mean of the channels; None for planes."""
        return None if self.channels == "planes" else sum(1 / std for std in self.std) / len(self.std)

    @property
    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Black and white in the network's input, a number for each channel; None for planes."""
        if self.channels == "planes":
            return None
        low, high = (
            tuple((value - mean) / std for mean, std in zip(self.mean, self.std, strict=True))
            for value in (0.0, 1.0)
        )
        return low, high

    def scaled(self, factor: float) -> Preprocessing:
        """The same part of the photo at another resolution, for pictures."""
        height, width = (max(round(side * factor), 1) for side in self.crop)
        resize = None if self.resize is None else max(round(self.resize * factor), height, width)
        return replace(self, resize=resize, crop=(height, width))


@dataclass(frozen=True)
class Also:
    """A further method of a graph.

    Attributes:
        method: name and parameters.
        signed: whether its heatmap's values below 0.5 speak against the class.
    """

    method: dict[str, Any]
    signed: bool


def map_names(method: str, first: str) -> tuple[str, str]:
    """The outputs that hold a method's attribution and heatmap, where ``first`` is the graph's first one."""
    suffix = "" if method == first else f"_{method}"
    return f"attribution{suffix}", f"heatmap{suffix}"


def _listed(values: tuple[float, ...]) -> str:
    """Few digits, and one number where all are equal."""
    shown = [f"{value:.4g}" for value in (values[:1] if len(set(values)) == 1 else values)]
    return ", ".join(shown)


@dataclass(frozen=True)
class Card:
    """Everything a consumer needs beside the graph.

    Attributes:
        name: of the classifier.
        image_shape: (C, H, W).
        classes: K.
        method: name and parameters of the explanation method.
        signed: whether heatmap values below 0.5 speak against the class.
        preprocessing: photo -> input.
        labels: K class names, or None.
        objective: what of a class is explained, such as {"kind": "logit"}.
        top_k: how many classes are explained in each image; more than 1 adds an axis to the outputs.
        dtype: of convolutions and matrix products, float32 or float16; inputs and outputs are float32.
        versions: of the tools that made the file.
        verification: the errors measured at export.
        outputs: what the logits are, one of ``OUTPUTS``: logits of exclusive classes, whose softmax gives
            probabilities; of independent labels, whose sigmoids do; probabilities already; or values without
            one.
        also: further methods, whose maps are outputs of their own; see :meth:`map_names`.
    """

    name: str
    image_shape: tuple[int, int, int]
    classes: int
    method: dict[str, Any]
    signed: bool
    preprocessing: Preprocessing
    labels: tuple[str, ...] | None = None
    objective: dict[str, Any] = field(default_factory=lambda: {"kind": "logit"})
    top_k: int = 1
    dtype: str = "float32"
    versions: dict[str, str] = field(default_factory=dict)
    verification: dict[str, Any] = field(default_factory=dict)
    outputs: str = "exclusive"
    also: tuple[Also, ...] = ()

    def __post_init__(self) -> None:
        if self.outputs not in OUTPUTS:
            raise CardError(f"outputs={self.outputs!r}, expected one of {', '.join(OUTPUTS)}.")
        if self.labels is not None and len(self.labels) != self.classes:
            raise CardError(f"{len(self.labels)} labels for {self.classes} classes.")
        channels, height, width = self.image_shape
        if self.preprocessing.crop != (height, width):
            raise CardError(
                f"The preprocessing cuts out {list(self.preprocessing.crop)}, but the network takes "
                f"{[height, width]}."
            )
        if len(self.preprocessing.mean) != channels:
            raise CardError(
                f"The preprocessing gives {len(self.preprocessing.mean)} channels "
                f"({self.preprocessing.channels}), but the network takes {channels}."
            )

    @property
    def method_name(self) -> str:
        """The explanation method as requests and files of an archive name it: ``smoothdiff``."""
        return re.sub(r"[^a-z0-9]+", "-", str(self.method.get("name", "default")).lower())

    @property
    def each(self) -> dict[str, Card]:
        """A card for each method of the file, by its name, the first method first."""
        cards = [replace(self, also=())]
        cards += [replace(self, method=one.method, signed=one.signed, also=()) for one in self.also]
        return {card.method_name: card for card in cards}

    def map_names(self, method: str) -> tuple[str, str]:
        """The outputs that hold a method's attribution and heatmap; those of the first bear no name."""
        return map_names(method, self.method_name)

    @property
    def reports(self) -> str:
        """What is known of each class: its probability, or its value."""
        return "value" if self.outputs == "values" else "probability"

    def label(self, index: int) -> str:
        """The name of a class, or its number where the card has no names."""
        return self.labels[index] if self.labels else str(index)

    def to_json(self) -> str:
        written = {"format": FORMAT, **asdict(self)}
        if not self.also:
            del written["also"]
        return json.dumps(written, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Card:
        """Read a card.

        Raises:
            CardError: not JSON, a newer format, or values that contradict each other.
        """
        try:
            given = json.loads(text)
            version = given.pop("format")
            if version not in READABLE:
                raise CardError(
                    f"The card has format {version}, this version of smoothserve reads "
                    f"{' and '.join(map(str, READABLE))}. Use a matching version."
                )
            pre = given.pop("preprocessing")
            for name in ("crop", "mean", "std"):
                pre[name] = tuple(pre[name])
            labels = given.pop("labels")
            return cls(
                preprocessing=Preprocessing(**pre),
                labels=None if labels is None else tuple(labels),
                also=tuple(Also(**one) for one in given.pop("also", ())),
                image_shape=tuple(given.pop("image_shape")),
                **given,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CardError(f"The card is damaged: {error!r}.") from error


def read_card(metadata: Mapping[str, str], path: str | Path) -> Card:
    """The card in the metadata of the .onnx file at ``path``.

    Raises:
        NoCardError: it has none.
        CardError: it has a damaged one.
    """
    text = metadata.get(METADATA_KEY)
    if text is None:
        raise NoCardError(
            f"{path} is an ONNX file, but no explanation model: it has no card ('{METADATA_KEY}' metadata). "
            "Make one with 'smoothserve export'."
        )
    return Card.from_json(text)
