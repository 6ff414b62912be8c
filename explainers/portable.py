"""An explanation in operations that other runtimes than PyTorch have."""

from __future__ import annotations

from torch import fx
from torch._functorch.compile_utils import fx_graph_cse

from .fused import WRITTEN_OUT
from .graph.trace import Trace
from .passes import TRACED, run


def portable(traced: fx.GraphModule) -> fx.GraphModule:
    """The same graph with PyTorch's fused derivatives written out, over the same stored tensors.

    What it computes is the same up to the order of rounding. ``traced`` is not changed.
    """
    graph: fx.Graph = fx_graph_cse(traced.graph)  # a copy
    run(WRITTEN_OUT, Trace(graph))
    graph = fx_graph_cse(graph)  # chunks of samples and their weights are written out one by one
    run(TRACED, Trace(graph))
    return fx.GraphModule(traced, graph)
