"""Scaled dot-product attention, written out so that its VJP needs no fused kernel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .registry import Call, Gradients, rule

aten = torch.ops.aten


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


@rule(aten.scaled_dot_product_attention.default, when=lambda call: True)
def scaled_dot_product_attention(call: Call, gradient: Tensor) -> Gradients:
    """One operation: the mean of the exact VJPs over the samples, not a product of finer means."""
    return call.own_vjp(gradient, attention)
