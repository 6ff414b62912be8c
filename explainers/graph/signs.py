"""What can be known of the signs of values without evaluating them."""

from __future__ import annotations

import math

import torch
from torch import fx

from .arguments import arguments_by_name
from .program import is_selection
from .traits import Trait, has

aten = torch.ops.aten


def never_negative(node: fx.Node) -> bool:
    """Whether a value of the network holds no number below 0, whatever the image."""
    waiting, seen = [node], {node}
    while waiting:
        each = waiting.pop()
        if has(each.target, Trait.NEVER_NEGATIVE) or (
            has(each.target, Trait.CLAMPS) and bounds(each)[0] >= 0
        ):
            continue
        if not has(each.target, Trait.KEEPS_FROM_NEGATIVE):
            return False
        sources = [source for source in each.all_input_nodes if not _is_size(source)]
        waiting += [source for source in sources if source not in seen]
        seen.update(sources)
    return True


def _is_size(node: fx.Node) -> bool:
    arithmetic = has(node.target, Trait.SIZE_ARITHMETIC) and not is_selection(node)
    return arithmetic or node.target is aten.sym_size.int


def bounds(clamp: fx.Node) -> tuple[float, float]:
    """Between which numbers an operation clamps; infinite where it has none."""
    if clamp.target is aten.relu6.default:
        return 0.0, 6.0
    arguments = arguments_by_name(clamp.target, clamp.args, clamp.kwargs)
    names = ("min_val", "max_val") if clamp.target is aten.hardtanh.default else ("min", "max")
    low, high = (arguments[name] for name in names)
    return -math.inf if low is None else float(low), math.inf if high is None else float(high)
