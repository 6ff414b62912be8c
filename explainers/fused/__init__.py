"""Derivatives that PyTorch computes in one operation, and each of them in operations that ONNX has.

Rules call the first form, which is what an explanation runs in Python. :data:`WRITTEN_OUT` turns it into the
second, before an explanation is exported. A file holds both forms of one derivative.
"""

from ..graph.trace import Trace
from ..passes import Step
from .convolution import write_convolutions
from .gates import write_boxes, write_thresholds
from .max_pool import write_max_pools

__all__ = ["WRITTEN_OUT"]

WRITTEN_OUT: tuple[Step[Trace], ...] = (
    Step(write_convolutions, "anywhere: no derivative becomes another one"),
    Step(write_thresholds, "anywhere"),
    Step(write_boxes, "anywhere"),
    Step(write_max_pools, "anywhere"),
)
