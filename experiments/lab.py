"""What experiments work with: a classifier that knows photos, photos, and their attributions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from smoothserve.evaluation import Predict, of_module
from smoothserve.explainers import (
    ExplanationModel,
    Gradient,
    Method,
    Program,
    explain_program,
    relevance_for,
)
from torch import Tensor

Array = npt.NDArray[np.float32]
Choice = TypeVar("Choice")

_PAPERS_STD = 0.226  # of ImageNet's pixels in [0, 1], by which the papers' networks divide them
_TOGETHER = 8  # noisy copies in one call
_AT_ONCE = 4  # images of a prediction, of which the program keeps all values


@dataclass
class Lab:
    """A network, photos and how thorough to be.

    Attributes:
        program: the network, captured.
        name: of it, and where its weights are from.
        mean: of each channel, that preprocessing takes from pixels in [0, 1].
        std: of each channel, that it divides by.
        images: ``[N, C, H, W]`` float32, preprocessed.
        photos: the same as pictures of ``W x H`` pixels.
        labels: names of classes, or None.
        quick: few samples and steps: whether all runs, not what comes out.
        tick: is told what is being done; may be changed from one experiment to the next.
    """

    program: Program
    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    images: Tensor
    photos: tuple[Image.Image, ...]
    labels: tuple[str, ...] | None = None
    quick: bool = False
    tick: Callable[[str], None] = lambda what: None
    _known: dict[Method, Array] = field(default_factory=dict)
    _streams: dict[tuple[tuple[int, ...], float, int], dict[int, Array]] = field(default_factory=dict)
    _models: dict[Method, ExplanationModel] = field(default_factory=dict)

    def of_first_photo(self) -> Lab:
        """The same with one photo alone; the models are shared."""
        return replace(self, images=self.images[:1], photos=self.photos[:1], _known={}, _streams={})

    @cached_property
    def predict(self) -> Predict:
        """Logits of images."""
        return of_module(self.program.logits_of, _AT_ONCE)

    @cached_property
    def ranking(self) -> Tensor:
        """Classes of each image, the most probable first: ``[N, K]`` int64."""
        return torch.from_numpy(self.predict(self.images.numpy())).argsort(1, descending=True)

    @property
    def classes(self) -> Tensor:
        """Predicted for each image: ``[N]`` int64."""
        return self.ranking[:, 0]

    @property
    def relevance(self) -> Method:
        """LRP, as it suits the network."""
        return relevance_for(self.program)

    def label(self, number: int) -> str:
        """A class in words."""
        return self.labels[number] if self.labels else f"class {number}"

    def titles(self) -> list[str]:
        """The predicted class of each image, in words."""
        return [self.label(number) for number in self.classes.tolist()]

    def noise(self, std: float) -> float:
        """A deviation of the papers' networks in units of this one's input: the same in pixels."""
        return std * _PAPERS_STD / float(np.mean(self.std))

    def choose(self, few: Choice, many: Choice) -> Choice:
        """The first if it is to be quick, else the second."""
        return few if self.quick else many

    def model(self, method: Method) -> ExplanationModel:
        """The network rewritten for a method; kept, since tracing it takes longer than a photo."""
        if method not in self._models:
            self.tick(f"rewriting the network for {method}")
            self._models[method] = explain_program(self.program, method)
        return self._models[method]

    def attributions(self, method: Method, targets: Tensor | None = None) -> Array:
        """Of each image's predicted class, or of ``targets`` ``[N]``: ``[N, C, H, W]``."""
        if targets is None and method in self._known:
            return self._known[method]
        model = self.model(method)
        self.tick(f"explaining by {method}")
        wanted = self.classes if targets is None else targets
        with torch.no_grad():
            parts = [
                model(image[None], target[None]).attribution
                for image, target in zip(self.images, wanted, strict=True)
            ]
        found: Array = torch.cat(parts).numpy()
        if targets is None:
            self._known[method] = found
        return found

    def smoothgrads(self, counts: Sequence[int], std: float, seed: int = 0) -> dict[int, Array]:
        """SmoothGrad for several numbers of samples, all of one stream: each is the mean of the first n.

        Equation 1 of "SmoothGrad" (Smilkov et al. 2017), independent noise.

        Args:
            counts: n, rising.
            std: of the noise, in units of the input.
            seed: of the noise.
        """
        key = (tuple(counts), std, seed)
        if key in self._streams:
            return self._streams[key]
        model = self.model(Gradient())
        total = torch.zeros_like(self.images)
        found: dict[int, Array] = {}
        done = 0
        for copies in self._noisy(counts, std, seed):
            if not done % 64:
                self.tick(f"SmoothGrad, sample {done} of {max(counts)}")
            with torch.no_grad():
                flat = model(copies.flatten(0, 1), self.classes.repeat(len(copies))).attribution
            total += flat.unflatten(0, (len(copies), len(self.images))).sum(0)
            done += len(copies)
            if done in counts:
                found[done] = (total / done).numpy()
        self._streams[key] = found
        return found

    def _noisy(self, counts: Sequence[int], std: float, seed: int) -> Iterator[Tensor]:
        """Noisy copies ``[n, N, C, H, W]``, so that every count is the end of a part."""
        generator = torch.Generator().manual_seed(seed)
        done = 0
        for end in counts:
            while done < end:
                n = min(_TOGETHER, end - done)
                noise = torch.randn((n, *self.images.shape), generator=generator)
                yield self.images + std * noise
                done += n
