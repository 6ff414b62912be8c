"""PyTorch's tracing modes belong to the whole process, so one thread traces at a time."""

from __future__ import annotations

import threading

tracing_lock = threading.RLock()  # held while a classifier is captured, a graph traced or converted
