"""The smoothserve command."""

import os

# Large tensors in large pages: PyTorch asks for them anew in each operation, and in pages of 4 kB the kernel
# takes as long to hand them out as the arithmetic does (docs/measurements/what-helped.md). It must be said
# before PyTorch allocates its first tensor, and does nothing where the kernel offers no large pages.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
