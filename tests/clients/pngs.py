"""PNG files of any kind, chunk by chunk."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

SIZE = (37, 23)  # width and height: no multiple of 8


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(colour_type: int, depth: int, interlaced: bool, *before: bytes, seed: int = 0) -> bytes:
    """A PNG of random values, of any kind: rows without filter, whose bits are taken as they come."""
    width, height = SIZE
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]
    random = np.random.default_rng(seed)

    def rows(across: int, down: int) -> Iterator[bytes]:
        for _ in range(down if across else 0):
            yield b"\0" + random.bytes((across * channels * depth + 7) // 8)

    passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]
    steps = passes if interlaced else [(0, 0, 1, 1)]
    data = b"".join(
        row
        for left, top, right, down in steps
        for row in rows(-(-(width - left) // right), -(-(height - top) // down))
    )
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    parts = [chunk(b"IHDR", header), *before, chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
