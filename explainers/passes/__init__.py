"""Rewrites of graphs that change no value: two ordered lists, one identity a file.

:data:`CAPTURED` is applied to the classifier's graph before anything is differentiated, :data:`TRACED` to the
recorded explanation before it is stored. A pass says why it leaves a node alone; the debug log shows it.
"""

from ..graph.program import Program
from ..graph.trace import Trace
from .adaptive_max_pooling import adaptive_max_pools_of_rows, adaptive_max_pools_to_max_pools
from .assignments import assignments_to_sources
from .attention import write_attention
from .average_over_channels import averages_over_channels
from .average_pooling_of_rows import adaptive_average_pools_of_rows, average_pools_of_rows
from .batch_norm import fold_batch_norm
from .circular_padding import circular_padding_to_slices
from .constants import fold_constants
from .contiguous_rows import contiguous_rows
from .float_bounds import bounds_to_floats
from .global_pooling import global_pools_to_means
from .in_place import in_place_to_functional
from .joined_reshapes import join_reshapes
from .lstm import write_lstm
from .ordered_chunks import order_chunks
from .random_slopes import random_slopes_to_their_mean
from .reversed_subtraction import subtract_from_left_to_right
from .root_sizes import root_sizes
from .step import Step, run
from .views import views_to_reshapes
from .warping import write_grids, write_samplings
from .whole_windows import average_pools_with_a_divisor, max_pools_of_whole_windows

__all__ = ["CAPTURED", "TRACED", "Step", "run"]

CAPTURED: tuple[Step[Program], ...] = (
    Step(views_to_reshapes, "first, so that no pass and no rule has to know views"),
    Step(
        contiguous_rows, "before constants are computed: it looks at the matrices as the classifier has them"
    ),
    Step(write_attention, "before anything runs the graph: fused kernels may read foreign memory"),
    Step(write_lstm, "as attention"),
    Step(write_grids, "as attention; a constant grid is computed below"),
    Step(write_samplings, "as attention"),
    Step(fold_constants, "before what looks for weights: standardised ones are computed"),
    Step(fold_batch_norm, "needs its parameters, and the convolution's, as weights"),
    Step(global_pools_to_means, "before pooling of rows, which makes poolings to one row and keeps them"),
    Step(
        adaptive_max_pools_to_max_pools, "makes max poolings without ceil mode, which nothing below changes"
    ),
    Step(adaptive_max_pools_of_rows, "as above"),
    Step(adaptive_average_pools_of_rows, "anywhere behind global pooling"),
    Step(average_pools_of_rows, "makes average poolings without a divisor, which nothing below changes"),
    Step(averages_over_channels, "anywhere"),
    Step(average_pools_with_a_divisor, "behind the pooling of rows, whose results it sees"),
    Step(max_pools_of_whole_windows, "behind adaptive max pooling, whose results it sees"),
    Step(circular_padding_to_slices, "anywhere"),
    Step(random_slopes_to_their_mean, "anywhere"),
    Step(assignments_to_sources, "anywhere"),
)

TRACED: tuple[Step[Trace], ...] = (
    Step(order_chunks, "first: it needs the marks that methods left, and every use of every chunk"),
    Step(root_sizes, "behind the chunks, whose order it must not disturb: sizes belong to the first"),
    Step(views_to_reshapes, "before reshapes are joined"),
    Step(join_reshapes, "behind the views, which are reshapes now"),
    Step(subtract_from_left_to_right, "anywhere"),
    Step(in_place_to_functional, "behind what changes uses: it looks at those that are left"),
    Step(bounds_to_floats, "behind the clamps in place, which are ordinary ones now"),
)
