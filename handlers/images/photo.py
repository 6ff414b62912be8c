"""Photo bytes -> the picture that the network sees -> its input array."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from ..card import Preprocessing
from ..errors import RequestError
from ..limits import Limits
from .planes import to_grey

MAX_ASPECT = 50  # a strip of 1 x 50,000 would be resized to 256 x 12,800,000 before the crop
MAX_SCANS = 100  # of a progressive JPEG: each is a pass over all pixels; cameras and browsers write about ten
# Pillow reads many more, some by starting other programs, some without knowing the size before decoding.
Image.init()
_WANTED = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "AVIF", "PPM")
FORMATS = tuple(name for name in _WANTED if name in Image.OPEN)
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def decode(content: bytes, max_pixels: int = Limits.pixels) -> Image.Image:
    """Decode a photo to RGB, upright, first frame, transparency on white.

    Raises:
        RequestError: 400 if this is no image that Pillow reads, 413 if it has too many pixels.
    """
    if not content:
        raise RequestError("There is no image: 0 bytes came, expected those of a photo (JPEG, PNG, ...).")
    if content[:2] == b"\xff\xd8" and content.count(b"\xff\xda") > MAX_SCANS:
        raise RequestError(f"The JPEG has more than {MAX_SCANS} scans. Save it as an ordinary one.", 413)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise RequestError(f"The image has too many pixels: {error}", 413) from None
    except Exception:
        if content.lstrip()[:1] in (b"{", b"["):
            raise RequestError(
                "The body begins like JSON, but is none, or came without Content-Type: application/json."
            ) from None
        raise RequestError(
            f"The image cannot be read: {len(content)} bytes that are no known image format. "
            "Send JPEG, PNG, WebP, ..."
        ) from None
    if image.width * image.height > max_pixels:
        raise RequestError(
            f"The image has {image.width} x {image.height} pixels, at most {max_pixels:,} are allowed. "
            "Send a smaller one.",
            413,
        )
    try:
        return _to_rgb(_upright(image))
    except RequestError:
        raise
    except Exception:
        raise RequestError("The image is damaged or cut off and cannot be decoded.") from None


def upright_rgb(image: Image.Image) -> Image.Image:
    """A Pillow image of any mode as :func:`decode` gives it: RGB, upright, transparency on white.

    Raises:
        RequestError: Pillow cannot read it, or cannot convert it.
    """
    try:
        return _to_rgb(_upright(image))
    except RequestError:
        raise
    except Exception as error:
        raise RequestError(
            f"The Pillow image of mode {image.mode} cannot be read as RGB: {error or type(error).__name__}."
        ) from error


def _upright(image: Image.Image) -> Image.Image:
    """Turned as the camera says; a damaged note about that does not spoil the pixels."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # more than 8 bits; Pillow would clip
        values = np.asarray(image).astype(np.float32)
        scale = _full_scale(image.mode, float(np.nanmin(values)), float(np.nanmax(values)))
        image = Image.fromarray(np.nan_to_num(values * (255 / scale)).clip(0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _full_scale(mode: str, low: float, high: float) -> float:
    """Which value of a deep grey image is white: 16-bit modes say it, others by their range."""
    if mode.startswith("I;16"):
        return 65535.0
    for scale in (1.0, 255.0, 65535.0):
        if low >= 0 and high <= scale and (mode == "F" or scale > 1):
            return scale
    raise RequestError(
        f"The image has values from {low:.4g} to {high:.4g}; expected 8 or 16 bits, or floating point from "
        "0 to 1. Convert it."
    )


def crop(image: Image.Image, preprocessing: Preprocessing) -> Image.Image:
    """Resize and cut out what the network sees; RGB, of size ``preprocessing.crop``."""
    height, width = preprocessing.crop
    resample = _FILTERS[preprocessing.interpolation]
    if preprocessing.resize is None:
        return _resized(image, (width, height), resample)
    short = min(image.size)
    if max(image.size) > MAX_ASPECT * short:
        raise RequestError(
            f"The image has {image.width} x {image.height} pixels; one side may be at most "
            f"{MAX_ASPECT} times the other."
        )
    size = tuple(max(int(preprocessing.resize * side / short), 1) for side in image.size)
    image = _resized(image, (size[0], size[1]), resample)
    left, top = round((image.width - width) / 2), round((image.height - height) / 2)
    return image.crop((left, top, left + width, top + height))


def _resized(image: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    """Width first, then height: each is rounded to 8 bits, and Pillow's own order depends on its version."""
    return image.resize((size[0], image.height), resample).resize(size, resample)


def crop_box(size: tuple[int, int], preprocessing: Preprocessing) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what the network sees of a photo of ``size`` (width, height).

    In the photo's pixels; it reaches beyond the photo where the crop does.
    """
    if preprocessing.resize is None:
        return (0, 0, *size)
    height, width = preprocessing.crop
    short = min(size)
    scaled = [max(int(preprocessing.resize * side / short), 1) for side in size]
    left, top = round((scaled[0] - width) / 2), round((scaled[1] - height) / 2)
    across, down = size[0] / scaled[0], size[1] / scaled[1]
    return (
        round(left * across), round(top * down), round((left + width) * across), round((top + height) * down),
    )  # fmt: skip


def to_input(picture: Image.Image, preprocessing: Preprocessing) -> npt.NDArray[np.float32]:
    """The cropped picture as float32 ``[C, H, W]``, normalised."""
    if preprocessing.channels == "planes":
        raise RequestError(
            f"A picture was given, but the model takes arrays of {len(preprocessing.mean)} channels."
        )
    if preprocessing.channels == "L":
        pixels = np.asarray(picture.convert("L"), dtype=np.float32)[..., None]
    else:
        pixels = np.asarray(picture, dtype=np.float32)
        if preprocessing.channels == "BGR":
            pixels = pixels[..., ::-1]
    mean = np.asarray(preprocessing.mean, dtype=np.float32)
    std = np.asarray(preprocessing.std, dtype=np.float32)
    return np.ascontiguousarray(((pixels / np.float32(255) - mean) / std).transpose(2, 0, 1))


def to_picture(array: npt.NDArray[np.float32], preprocessing: Preprocessing) -> Image.Image:
    """The inverse of :func:`to_input`: what float32 ``[C, H, W]`` shows, as RGB; planes' mean, in grey."""
    if preprocessing.channels == "planes":
        return to_grey(array)
    mean = np.asarray(preprocessing.mean, dtype=np.float32)
    std = np.asarray(preprocessing.std, dtype=np.float32)
    pixels = (array.transpose(1, 2, 0) * std + mean).clip(0, 1) * 255
    if preprocessing.channels == "L":
        return Image.fromarray(pixels[..., 0].round().astype(np.uint8)).convert("RGB")
    if preprocessing.channels == "BGR":
        pixels = pixels[..., ::-1]
    return Image.fromarray(np.ascontiguousarray(pixels.round().astype(np.uint8)))
