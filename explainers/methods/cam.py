"""Class activation maps: a weighed sum of the last feature maps, enlarged to the image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import MethodError
from ..graph.line_maps import matrix
from ..graph.program import Program
from ..reverse.tape import Network
from .base import Method
from .layers import last_layer, layer_named

_TINY = 1e-7  # keeps quotients finite where maps, or their gradients, are zero


@dataclass(frozen=True)
class CAM(Method):
    """What all class activation maps share: the layer, the gradient at it, and the way back to the image.

    Args:
        layer: name of the classifier's module whose output is taken, such as ``layer4`` or ``features.12``.
            None: the last feature map that keeps its place in the image; in transformers the last normalised
            tokens that the image's patches reach the logits through, without the class token.
    """

    layer: str | None = None

    @property
    def signed(self) -> bool:
        return False

    def for_program(self, program: Program) -> Method:
        if self.layer is None:
            return replace(self, layer=last_layer(program))
        with torch.no_grad():
            layer_named(program, self.layer, program.run(program.probe_images[:1]))
        return self

    def attribute(
        self, network: Network, image: Tensor, seeds: Tensor, buffers: Mapping[str, Tensor]
    ) -> Tensor:
        tape, program = network.at(image), network.program
        if self.layer is None:
            raise MethodError("The layer is not chosen yet; explain_program does that by for_program.")
        node, grid = layer_named(program, self.layer, tape.values)
        maps = grid.maps(tape.values[node])
        slopes = grid.maps(tape.pullback(seeds, to=node), axis=1)
        cam = self.combined(maps, slopes).clamp(min=0)
        rows, columns = (
            _enlarging(few, many).to(cam) for few, many in zip(cam.shape[2:], image.shape[2:], strict=True)
        )
        large = rows @ cam @ columns.T
        return (large / image.shape[1]).unsqueeze(2).expand(-1, -1, image.shape[1], -1, -1)

    @abstractmethod
    def combined(self, maps: Tensor, slopes: Tensor) -> Tensor:
        """The map ``[k, B, rows, columns]``, of which what is below 0 is cut off.

        Args:
            maps: A ``[B, D, rows, columns]``.
            slopes: G, the objectives' gradients at A: ``[k, B, D, rows, columns]``.
        """


def _enlarging(few: int, many: int) -> Tensor:
    """``[many, few]``, bilinear along one axis: the operation itself becomes gathers with large indices."""
    return matrix(few, lambda rows: F.interpolate(rows, (many, 1), mode="bilinear", align_corners=False))


@dataclass(frozen=True)
class GradCAM(CAM):
    """relu(sum_d mean(G_d) A_d) (Selvaraju et al., ICCV 2017, arXiv 1610.02391, equations 1 and 2).

    Args:
        layer: see :class:`CAM`.
    """

    def combined(self, maps: Tensor, slopes: Tensor) -> Tensor:
        return (slopes.mean((-2, -1), keepdim=True) * maps).sum(2)


@dataclass(frozen=True)
class GradCAMPlusPlus(CAM):
    """Grad-CAM whose weights are sums of positive slopes, weighed place by place (arXiv 1710.11063).

    With a = G^2 / (2 G^2 + G^3 sum(A)), weights are sum(a relu(G)): equation 19 of Chattopadhyay et al., WACV
    2018, for an exponential of the explained logit, whose factors cancel.

    Args:
        layer: see :class:`CAM`.
    """

    def combined(self, maps: Tensor, slopes: Tensor) -> Tensor:
        squares = slopes * slopes
        below = 2 * squares + squares * slopes * maps.sum((-2, -1), keepdim=True)
        shares = torch.where(slopes == 0, 0.0, squares / (below + 10 * _TINY))
        return ((shares * slopes.clamp(min=0)).sum((-2, -1), keepdim=True) * maps).sum(2)


@dataclass(frozen=True)
class XGradCAM(CAM):
    """Grad-CAM whose weights are means of G weighed by A / sum(A) (Fu et al., BMVC 2020, arXiv 2008.02312).

    Args:
        layer: see :class:`CAM`.
    """

    def combined(self, maps: Tensor, slopes: Tensor) -> Tensor:
        whole = maps.sum((-2, -1), keepdim=True)
        weights = (slopes * maps).sum((-2, -1), keepdim=True) / (whole + _TINY)
        return (weights * maps).sum(2)


@dataclass(frozen=True)
class HiResCAM(CAM):
    """relu(sum_d G_d A_d), place by place (Draelos and Carin, arXiv 2011.08891).

    Args:
        layer: see :class:`CAM`.
    """

    def combined(self, maps: Tensor, slopes: Tensor) -> Tensor:
        return (slopes * maps).sum(2)


@dataclass(frozen=True)
class LayerCAM(CAM):
    """relu(sum_d relu(G_d) A_d), place by place (Jiang et al., IEEE TIP 2021).

    Args:
        layer: see :class:`CAM`.
    """

    def combined(self, maps: Tensor, slopes: Tensor) -> Tensor:
        return (slopes.clamp(min=0) * maps).sum(2)
