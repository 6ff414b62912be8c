"""Attribution -> heatmap: one number in [0, 1] for every pixel."""

from __future__ import annotations

import torch
from torch import Tensor

CLIP_PERCENTILE = 99.0  # of the pixels; the brightest hundredth saturates


def heatmap(attribution: Tensor, signed: bool) -> Tensor:
    """``[B, C, H, W] -> [B, H, W]`` float32 in [0, 1], scaled for each image by itself.

    Sensitivities: the L2 norm over channels; 0 is indifferent, 1 is the clip value and above.
    Signed attributions: the sum over channels; 0.5 is indifferent, 1 speaks for the class, 0
    against it. The clip value is the 99th percentile of the magnitudes (SmoothGrad's practice,
    arXiv 1706.03825, section 3.1), so that single pixels don't darken the rest.
    """
    if signed:
        value = attribution.sum(1)
        magnitude = value.abs()
    else:
        value = magnitude = (attribution * attribution).sum(1).sqrt()
    pixels = magnitude.flatten(1)
    brightest = max(1, round(pixels.shape[1] * (1 - CLIP_PERCENTILE / 100)))
    clip = pixels.topk(brightest, dim=1).values[:, -1:].unsqueeze(-1)
    scaled = value / clip.clamp(min=torch.finfo(value.dtype).tiny)
    result = (scaled.clamp(-1, 1) + 1) / 2 if signed else scaled.clamp(0, 1)
    return result.to(torch.float32)
