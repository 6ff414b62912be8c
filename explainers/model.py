"""ExplanationModel: the rewritten classifier, and the Explanation that it returns."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.utils._pytree import _register_namedtuple

from .chunks import LARGEST
from .errors import InputError, not_finite
from .graph.scores import Scores
from .graph.traits import Trait, has
from .methods import Method
from .objective import Objective
from .propagation.calibration import Calibration


class Calibrated(NamedTuple):
    """A method, and what it measured on the network, if it does."""

    method: Method
    calibration: Calibration


class Explanation(NamedTuple):
    """A prediction and its heatmap.

    Attributes:
        logits: ``[B, K]``, those of the clean image, equal to the classifier's.
        explained_class: int64 ``[B]``: the target, or the predicted class where it was -1.
        attribution: ``[B, C, H, W]``, in units of the objective (per input unit for sensitivities).
        heatmap: float32 ``[B, H, W]`` in [0, 1].

    With ``top_k > 1`` the last three are ``[B, top_k]``, ``[B, top_k, C, H, W]`` and ``[B, top_k, H, W]``:
    the target first where one was given, then the most probable other classes in falling order.
    """

    logits: Tensor
    explained_class: Tensor
    attribution: Tensor
    heatmap: Tensor


# So that torch.export.save can write what a model returns.
_register_namedtuple(Explanation, serialized_type_name="smoothserve.explainers.Explanation")


class ExplanationModel(nn.Module):
    """A classifier that explains itself; one graph without autograd. Built by :func:`explain`.

    Attributes:
        traced: the graph: ``(image, target)`` to the four parts of an :class:`Explanation`.
        calibrated: the explanation methods of the graph, each with what it measured; see :meth:`each`.
        method: the first of them.
        calibration: of that one.
        objective: what of a class is explained.
        top_k: how many classes are explained in each image.
        image_shape: ``(C, H, W)`` of one image; the batch size is free.
        classes: K.
        scores: what the K columns of the logits are.
        classifier_name: of the class it was made from.
        probe_images: a few images ``[P, C, H, W]``.
        probe_logits: what the original classifier said about them ``[P, K]``, so that files made of this
            model can be held against it.
    """

    def __init__(
        self,
        traced: fx.GraphModule,
        calibrated: tuple[Calibrated, ...],
        objective: Objective,
        top_k: int,
        image_shape: tuple[int, ...],
        classes: int,
        scores: Scores,
        dtype: torch.dtype,
        classifier_name: str,
        probe_images: Tensor,
        probe_logits: Tensor,
    ) -> None:
        super().__init__()
        self.traced = traced
        self.calibrated = calibrated
        self.method, self.calibration = calibrated[0]
        self.objective = objective
        self.top_k = top_k
        self.image_shape = image_shape
        self.classes = classes
        self.scores = scores
        self.dtype = dtype
        self.classifier_name = classifier_name
        self.probe_images = probe_images
        self.probe_logits = probe_logits
        self.eval()

    def forward(self, image: Tensor, target: Tensor | None = None) -> Explanation:
        """Predict and explain a batch; on processors a large one in parts.

        Where there are several methods, this is what the first one says.

        Args:
            image: ``[B, C, H, W]``, preprocessed as for the classifier, B >= 1.
            target: int64 ``[B]``, the class to explain in each image, 0 to K-1; -1 means the predicted
                class, as does leaving it out.

        Raises:
            InputError: a shape, type or class number does not fit, or an image is not finite.
        """
        return next(iter(self.each(image, target).values()))

    def each(self, image: Tensor, target: Tensor | None = None) -> dict[str, Explanation]:
        """What each method says: name such as ``smoothdiff`` -> explanation, the first method first.

        They share logits and explained classes. Arguments and errors are those of :meth:`forward`.
        """
        if target is None and isinstance(image, Tensor):
            target = torch.full((image.shape[0],), -1, dtype=torch.int64, device=image.device)
        if not torch.compiler.is_compiling():
            self._check(image, target)
            if image.device.type == "cpu" and image.shape[0] > self._at_once:
                pairs = zip(image.split(self._at_once), target.split(self._at_once), strict=True)
                parts = zip(*(self._traced(*pair) for pair in pairs), strict=True)
                return self._named([torch.cat(part) for part in parts])
        return self._named(self._traced(image, target))

    def _traced(self, image: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad():
            values: tuple[Tensor, ...] = self.traced(image, target)
        return values

    def _named(self, values: Sequence[Tensor]) -> dict[str, Explanation]:
        logits, explained_class, *maps = values
        pairs = zip(maps[::2], maps[1::2], strict=True)
        return {
            method.name: Explanation(logits, explained_class, *pair)
            for method, pair in zip(self.methods, pairs, strict=True)
        }

    @property
    def methods(self) -> tuple[Method, ...]:
        """All methods of the graph, the first first."""
        return tuple(method for method, _ in self.calibrated)

    @property
    def _at_once(self) -> int:
        """How many images a processor explains together; they do not influence each other."""
        _, height, width = self.image_shape
        pixels = height * width * min(max(method.evaluations for method in self.methods), LARGEST)
        return max(1, _PIXELS_AT_ONCE // pixels)

    @property
    def device(self) -> torch.device:
        """Where the weights are, and where images must be."""
        return next(self.buffers(), self.probe_images).device

    def in_float64(self) -> ExplanationModel:
        """A copy that computes in double precision: nearly exact arithmetic to compare with."""
        return copy.deepcopy(self).double()

    def _check(self, image: Tensor, target: Tensor) -> None:
        for name, given in (("image", image), ("target", target)):
            if not isinstance(given, Tensor):
                raise InputError(
                    f"The {name} is of type {type(given).__name__}, expected a tensor: {_EXPECTED[name]}."
                )
        if tuple(image.shape[1:]) != self.image_shape or image.ndim != 4 or image.shape[0] < 1:
            raise InputError(
                f"The image has shape {list(image.shape)}, "
                f"expected [batch, {', '.join(map(str, self.image_shape))}]."
            )
        if image.dtype != self.dtype:
            raise InputError(f"The image is {image.dtype}, expected {self.dtype}.")
        if not bool(torch.stack(image.aminmax()).isfinite().all()):  # reads the images, writes two numbers
            broken = int((~image.isfinite()).flatten(1).any(1).nonzero()[0])
            raise not_finite(f"Image {broken} of the batch")
        if target.dtype != torch.int64 or tuple(target.shape) != (image.shape[0],):
            raise InputError(
                f"The target is {target.dtype} of shape {list(target.shape)}, "
                f"expected int64 of shape [{image.shape[0]}], one class number for each image."
            )
        wrong = target[(target < -1) | (target >= self.classes)]
        if len(wrong):
            raise InputError(
                f"The target holds class {int(wrong[0])}, expected 0 to {self.classes - 1}, or -1 for the "
                "predicted class."
            )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> ExplanationModel:
        """``.to(device)``, ``.double()`` and their like: operations that create tensors must follow."""
        dtype = fn(torch.zeros(1, dtype=self.dtype)).dtype
        if dtype not in (self.dtype, torch.float32, torch.float64):
            raise InputError(
                f"This model computes in {self.dtype}, and cannot be made to compute in {dtype}: explain the "
                "classifier in that type, or export with dtype='float16'."
            )
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch left it bare
        tensors = [*self.parameters(), *self.buffers()]
        if tensors:
            _move_factories(self.traced, tensors[0].device)
        if dtype is not self.dtype:
            _change_type(self.traced, self.dtype, dtype)
            self.dtype = dtype
        return self

    def extra_repr(self) -> str:
        return (
            f"{self.classifier_name}, {', '.join(map(str, self.methods))}, {self.objective}, "
            f"top_k={self.top_k}, image_shape={self.image_shape}, classes={self.classes}"
        )


# Four photos of 224 pixels. With more, activations are so large that the operating system is asked for memory
# for each, and gets it back, which takes as long as the arithmetic (docs/measurements/eager.md).
_PIXELS_AT_ONCE = 4 * 224 * 224

_EXPECTED = {
    "image": "preprocessed, float, [batch, C, H, W]; torch.from_numpy makes one of an array",
    "target": "int64 of shape [batch], one class for each image, such as torch.tensor([281])",
}


def _change_type(module: fx.GraphModule, old: torch.dtype, new: torch.dtype) -> None:
    """Let operations that name a type, or create tensors of the default one, name the new type."""

    def changed(argument: Any) -> Any:
        return new if argument is old else argument

    for node in module.graph.nodes:
        node.args = fx.node.map_aggregate(node.args, changed)
        node.kwargs = fx.node.map_aggregate(node.kwargs, changed)
        if has(node.target, Trait.OF_DEFAULT_TYPE) and node.kwargs.get("dtype") is None:
            node.kwargs = {**node.kwargs, "dtype": new}
    module.recompile()


def _move_factories(graph: fx.GraphModule, device: torch.device) -> None:
    changed = False
    for node in graph.graph.nodes:
        given: Any = node.kwargs.get("device")
        if given is not None and given != device:
            node.update_kwarg("device", device)
            changed = True
    if changed:
        graph.recompile()
