"""The C++ client reads every kind of PNG and JPEG as the Python side does, pixel by pixel."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from smoothserve.handlers.card import Preprocessing
from smoothserve.handlers.images.photo import crop, decode, to_input

from tests.golden.photos import encoded, photo, turned

from .pngs import SIZE, chunk, png
from .programs import Programs

AS_IT_IS = Preprocessing(None, (23, 37), (0.0,) * 3, (1.0,) * 3)


def palette(entries: int) -> bytes:
    return chunk(b"PLTE", np.random.default_rng(1).bytes(3 * entries))


def small() -> Image.Image:
    return photo("coffee.png", *SIZE)


def xmp(orientation: int) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="{orientation}"/></x:xmpmeta>'.encode()


def with_xmp(orientation: int) -> bytes:
    """A JPEG that says so in XMP alone."""
    name = b"http://ns.adobe.com/xap/1.0/\0" + xmp(orientation)
    plain = encoded(small(), "JPEG", quality=90)
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(name) + 2) + name + plain[2:]


KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (4, 16), (6, 8), (6, 16)]
LOSSLESS: dict[str, Callable[[], bytes]] = {
    **{f"type {kind}, {depth} bits": partial(png, kind, depth, False) for kind, depth in KINDS},
    **{f"type {kind}, {depth} bits, interlaced": partial(png, kind, depth, True) for kind, depth in KINDS},
    **{f"palette, {depth} bits": partial(png, 3, depth, False, palette(2**depth)) for depth in (1, 2, 4, 8)},
    "transparent entries": lambda: png(3, 4, True, palette(16), chunk(b"tRNS", bytes(range(0, 240, 20)))),
    "a transparent grey": lambda: png(0, 8, False, chunk(b"tRNS", b"\0\x40")),
    "a transparent grey, deep": lambda: png(0, 16, False, chunk(b"tRNS", b"\x40\x40")),
    "a transparent colour": lambda: png(2, 8, False, chunk(b"tRNS", b"\0\0\0\0\0\0")),
    "gamma": lambda: png(2, 8, False, chunk(b"gAMA", struct.pack(">I", 100000))),
    **{f"turned {o}": lambda o=o: turned(small(), o, "PNG") for o in range(2, 9)},
}
LOSSY: dict[str, Callable[[], bytes]] = {
    **{
        f"{name}, subsampling {s}": lambda s=s, p=p: encoded(
            small(), "JPEG", quality=80, subsampling=s, progressive=p
        )
        for s in (0, 1, 2)
        for name, p in (("baseline", False), ("progressive", True))
    },
    "grey": lambda: encoded(small().convert("L"), "JPEG"),
    "inks": lambda: encoded(small().convert("CMYK"), "JPEG"),
    "restarts": lambda: encoded(small(), "JPEG", restart_marker_blocks=2),
    "quality 5": lambda: encoded(small(), "JPEG", quality=5),
    **{f"turned {o}": lambda o=o: turned(small(), o, "JPEG", quality=90) for o in range(2, 9)},
    **{f"turned {o} by XMP": lambda o=o: with_xmp(o) for o in (1, 3, 6)},
}


@pytest.fixture(scope="session")
def decoded(
    cpp: Programs, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, npt.NDArray[np.float32] | str]:
    """What the client makes of all of them, in one call: an input, or why there is none."""
    folder = tmp_path_factory.mktemp("decoded")
    files = {}
    for suffix, photos in (("png", LOSSLESS), ("jpg", LOSSY)):
        for number, (name, content) in enumerate(photos.items()):
            files[f"{suffix}: {name}"] = folder / f"{number}.{suffix}"
            files[f"{suffix}: {name}"].write_bytes(content())
    cpp.prepare(AS_IT_IS, folder, files.values())
    found: dict[str, npt.NDArray[np.float32] | str] = {}
    for name, path in files.items():
        array = Path(f"{path}.npy")
        found[name] = np.load(array) if array.exists() else Path(f"{path}.txt").read_text()
    return found


def of_python(content: bytes) -> npt.NDArray[np.float32]:
    return to_input(crop(decode(content), AS_IT_IS), AS_IT_IS)


@pytest.mark.parametrize("name", LOSSLESS)
def test_png(decoded: dict[str, npt.NDArray[np.float32] | str], name: str) -> None:
    found = decoded[f"png: {name}"]
    assert not isinstance(found, str), found
    assert np.array_equal(found, of_python(LOSSLESS[name]()))


@pytest.mark.parametrize("name", LOSSY)
def test_jpeg(decoded: dict[str, npt.NDArray[np.float32] | str], name: str) -> None:
    """Decoders may round otherwise by a step or two of 255."""
    found = decoded[f"jpg: {name}"]
    assert not isinstance(found, str), found
    assert np.abs(found - of_python(LOSSY[name]())).max() * 255 <= 2.01
