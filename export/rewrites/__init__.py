"""Identities on ONNX graphs, in the order in which they are tried; one family of them a file.

They let ONNX Runtime compute more operations together with convolutions, or in their layout: on processors
it keeps activations between convolutions in blocks of 8 or 16 channels (NCHWc). An operation that does not
know this layout costs a copy out of it and one back in: comparisons, casts, clips and paddings do not know
it, HardSigmoid(x) = min(max(alpha x + beta, 0), 1) and batch normalizations do.

Why an identity does not apply where its pattern fits is in the debug log of ``smoothserve.export.rewrites``.
"""

from __future__ import annotations

import onnx_ir as ir
from onnxscript.rewriter import RewriteRule, rewrite

from .batch_norm import ScaleByBatchNorm
from .clip import ClipBySigmoid
from .convolution_weights import ScaleInConvolution
from .halves import HalvesBySigmoid
from .padding import MergeCropping, MergePadding
from .steps import BoxBySigmoids, StepBySigmoid

__all__ = ["respell", "rules"]


def respell(model: ir.Model) -> ir.Model:
    """Apply every rule wherever it fits; returns the changed model."""
    changed: ir.Model = rewrite(model, rules())
    return changed


def rules() -> list[RewriteRule]:
    """All of them, in order.

    Nodes are visited from the image to the outputs, and at each the first rule that fits is applied, so that
    the order decides only between patterns that end in the same operation.
    """
    return [
        MergePadding.rule(),  # ends in Conv, of a Pad; ClipBySigmoid's, of a Clip
        MergeCropping.rule("Conv"),  # ends in Pad, of a Conv ...
        MergeCropping.rule("ConvTranspose"),  # ... or of a ConvTranspose
        BoxBySigmoids.rule(),  # ends in Cast, of an And ...
        StepBySigmoid.rule("Greater", 1.0),  # ... of a Greater alone ...
        StepBySigmoid.rule("Less", -1.0),  # ... or of a Less alone
        ClipBySigmoid.rule(),  # ends in Conv, of a Clip
        HalvesBySigmoid.rule(),  # scales and shifts by two numbers: of two equal patterns the narrower
        ScaleByBatchNorm.rule(),  # scales and shifts by channel, whatever they shift
        ScaleInConvolution.rule(),  # ends in Mul, which is visited before the Add of a shift
    ]
