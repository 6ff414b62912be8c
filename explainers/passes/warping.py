"""grid_sample and affine_grid (spatial transformers), written out in operations that every runtime has.

A sample is the sum of its four neighbours, each weighed by its distances along rows and columns.
ONNX has the sampling without its derivative. Each stays one operation of the program: SmoothDiff
takes the mean of its exact VJPs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, fx

from ..graph.arguments import arguments_by_name
from .step import Rewritable, at_each

aten = torch.ops.aten

BILINEAR, NEAREST = 0, 1  # ATen's numbers
ZEROS, BORDER, REFLECTION = 0, 1, 2


@at_each(aten.affine_grid_generator.default)
def write_grids(_: Rewritable, node: fx.Node) -> str | None:
    """Replace the grids of images by :func:`affine_grid`."""
    if len(arguments_by_name(node.target, node.args, node.kwargs)["size"]) != 4:
        return "it is a grid of volumes"
    node.target = affine_grid
    return None


@at_each(aten.grid_sampler.default, aten.grid_sampler_2d.default)
def write_samplings(_: Rewritable, node: fx.Node) -> str | None:
    """Replace sampling of images by :func:`grid_sample`."""
    given = arguments_by_name(node.target, node.args, node.kwargs)
    if given["input"].meta["val"].ndim != 4:
        return "it samples volumes"
    if given["interpolation_mode"] not in (BILINEAR, NEAREST):
        return "its interpolation is bicubic"
    node.target = grid_sample
    return None


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """Jaderberg et al. 2015, equation 1: each output pixel's place (x, y, 1), in [-1, 1], times ``theta``.

    Args:
        theta: ``[B, 2, 3]``.
        size: of the output, ``[B, C, h, w]``.

    Returns:
        ``[B, h, w, 2]``.
    """
    y, x = (_centres(length, align_corners, theta) for length in size[2:])
    height, width = y.shape[0], x.shape[0]
    place = torch.stack(
        [
            x.expand(height, width),
            y.unsqueeze(1).expand(height, width),
            torch.ones_like(x).expand(height, width),
        ]
    )
    points: Tensor = (theta @ place.flatten(1)).transpose(1, 2)
    return points.reshape(-1, height, width, 2)


def _centres(length: int, align_corners: bool, like: Tensor) -> Tensor:
    """Places of ``length`` pixels: -1 and 1 are the centres of the outermost ones, or their outer edges."""
    numbers = torch.arange(length, dtype=like.dtype, device=like.device)
    if align_corners:
        return numbers * (2 / (length - 1)) - 1 if length > 1 else numbers
    return (2 * numbers + 1) / length - 1


def grid_sample(
    image: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """The image at the grid's points, with PyTorch's choice of derivatives at edges and reflections.

    Args:
        image: ``[B, C, H, W]``.
        grid: points (x, y) in [-1, 1], ``[B, h, w, 2]``.

    Returns:
        ``[B, C, h, w]``.
    """
    height, width = image.shape[2:]
    x, y = (
        _place(point, length, padding_mode, align_corners)
        for point, length in zip(grid.unbind(-1), (width, height), strict=True)
    )
    if interpolation_mode == NEAREST:
        return _pixel(image, x.detach().round(), y.detach().round())
    left, top = (value.detach().floor() for value in (x, y))
    right, bottom = x - left, y - top
    corners = (
        (left, top, (1 - right) * (1 - bottom)),
        (left + 1, top, right * (1 - bottom)),
        (left, top + 1, (1 - right) * bottom),
        (left + 1, top + 1, right * bottom),
    )
    parts = [_pixel(image, column, row) * weight.unsqueeze(1) for column, row, weight in corners]
    return parts[0] + parts[1] + (parts[2] + parts[3])


def _place(point: Tensor, length: int, padding_mode: int, align_corners: bool) -> Tensor:
    """From [-1, 1] to pixels: 0 is the centre of the first of ``length``."""
    place = (point + 1) * ((length - 1) / 2) if align_corners else ((point + 1) * length - 1) / 2
    if padding_mode == ZEROS:
        return place
    if padding_mode == REFLECTION:
        low, span = (0.0, length - 1.0) if align_corners else (-0.5, float(length))
        if span == 0:
            return torch.zeros_like(place)
        beyond = torch.where(place < low, low - place, place - low)
        turns = (beyond.detach() / span).floor()
        rest = beyond - turns * span
        odd = turns - 2 * (turns / 2).floor() > 0
        place = torch.where(odd, span - rest, rest) + low
    inside = (place > 0) & (place < length - 1)  # no derivative on the edge
    return torch.where(inside, place, place.detach().clamp(0, length - 1))


def _pixel(image: Tensor, column: Tensor, row: Tensor) -> Tensor:
    """``image[:, :, row, column]`` where that is inside, else 0."""
    height, width = image.shape[2:]
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    index = row.clamp(0, height - 1).long() * width + column.clamp(0, width - 1).long()
    chosen = image.flatten(2).gather(2, index.flatten(1).unsqueeze(1).expand(-1, image.shape[1], -1))
    return chosen.reshape(-1, image.shape[1], *index.shape[1:]) * inside.unsqueeze(1)
