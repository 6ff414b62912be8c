"""Attention(Q, K, V) = softmax(Q K^T * scale + mask) V, written out in operations that every runtime has.

Fused kernels rely on strides that fake tensors promise and other devices don't keep (PyTorch's CPU kernel
then reads foreign memory), and the written-out scores serve forward and reverse pass. It stays one operation
of the program: SmoothDiff takes the mean of its exact VJPs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, fx

from .step import Rewritable, at_each


@at_each(torch.ops.aten.scaled_dot_product_attention.default)
def write_attention(_: Rewritable, node: fx.Node) -> None:
    """Replace fused attention by :func:`attention`."""
    node.target = attention


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(Q K^T * scale + mask) V, with the signature of ``scaled_dot_product_attention``."""
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(repeats, -3), value.repeat_interleave(repeats, -3)
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~allowed, float("-inf"))
    if attn_mask is not None:
        if attn_mask.dtype is torch.bool:
            scores = scores.masked_fill(~attn_mask, float("-inf"))
        else:
            scores = scores + attn_mask
    return scores.softmax(-1) @ value
