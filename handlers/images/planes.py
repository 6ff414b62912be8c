"""Images that are no photos: float arrays of any number of channels, sent as .npy files."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..card import Preprocessing
from ..errors import RequestError

_MAGIC = b"\x93NUMPY"


def read_planes(content: bytes, preprocessing: Preprocessing) -> npt.NDArray[np.float32]:
    """A .npy file as the network's input: ``(values - mean) / std``, float32 ``[C, H, W]``.

    Raises:
        RequestError: not such a file, another shape, or values that are no finite numbers.
    """
    wanted = [len(preprocessing.mean), *preprocessing.crop]
    if not content.startswith(_MAGIC):
        raise RequestError(
            f"This model takes images of {wanted[0]} channels, which no photo format holds. "
            f"Send a .npy file of shape {wanted}: numpy.save(file, array)."
        )
    try:
        file = io.BytesIO(content)
        version = np.lib.format.read_magic(file)
        reader = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, columns_first, dtype = reader(file)
    except Exception as error:  # NumPy parses the header as Python source, which fails in many ways
        raise RequestError("The .npy file is damaged: its header cannot be read.") from error
    if list(shape) != wanted or dtype.kind not in "fiu" or dtype.itemsize > 8:
        raise RequestError(
            f"The .npy file holds {dtype} of shape {list(shape)}, expected numbers of shape {wanted}."
        )
    data = content[file.tell() :]
    if len(data) != int(np.prod(wanted)) * dtype.itemsize:
        raise RequestError(
            f"The .npy file ends early or late: {len(data):,} bytes of values for shape {wanted}."
        )
    values = np.frombuffer(data, dtype).reshape(wanted, order="F" if columns_first else "C")
    mean, std = (np.asarray(v, np.float64).reshape(-1, 1, 1) for v in (preprocessing.mean, preprocessing.std))
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.ascontiguousarray((values - mean) / std, dtype=np.float32)
    if not np.isfinite(array).all():
        raise RequestError("The .npy file holds NaN, infinity, or numbers that float32 cannot hold.")
    return array


def to_grey(array: npt.NDArray[np.float32]) -> Image.Image:
    """The mean over channels ``[C, H, W]``, from its darkest to its brightest pixel, as RGB."""
    grey = array.mean(0)
    grey = (grey - grey.min()) / max(float(np.ptp(grey)), 1e-12)
    return Image.fromarray((grey * 255).round().astype(np.uint8)).convert("RGB")
