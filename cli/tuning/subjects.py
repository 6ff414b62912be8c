"""Photos as what heatmaps are made of; broken ones are reported and left out."""

from __future__ import annotations

from collections.abc import Sequence

from smoothserve.evaluation import Predict
from smoothserve.export import Preprocessing
from smoothserve.handlers.errors import RequestError

from ..errors import UsageError
from ..photos import Photo
from ..pictures import photo_input
from ..progress import note
from .scoring import Subject

_SHORTEST = {"aupc": 15, "autvc": 30}  # side of an image that the objective can judge


def check_input(preprocessing: Preprocessing, objective: str) -> None:
    """Raise UsageError if the objective cannot judge such inputs."""
    if preprocessing.channels == "planes":
        raise UsageError(
            "Noise is tuned as a share of the range from black to white, and arrays of channels have none. "
            "Give a network of photos, or choose with 'smoothserve compare'."
        )
    if min(preprocessing.crop) < _SHORTEST[objective]:
        height, width = preprocessing.crop
        raise UsageError(
            f"The input has {height} x {width} pixels; --objective {objective} needs at least "
            f"{_SHORTEST[objective]} a side. Give a larger --size"
            + (", or --objective aupc." if objective == "autvc" else ".")
        )


def read_subjects(
    photos: Sequence[Photo], preprocessing: Preprocessing, predict: Predict
) -> tuple[list[Subject], list[str]]:
    """Those that can be read, with the classes that the network predicts; and why others cannot.

    Raises:
        UsageError: none of them can.
    """
    subjects, left_out = [], []
    for photo in photos:
        try:
            image = photo_input(photo.path, preprocessing)
        except (RequestError, OSError) as error:
            reason = f"it cannot be read: {error.strerror}." if isinstance(error, OSError) else str(error)
            left_out.append(f"{photo.path}: {reason}")
            note(left_out[-1])
            continue
        subjects.append(Subject(str(photo.name), image, int(predict(image[None])[0].argmax())))
    if not subjects:
        raise UsageError(
            left_out[0] if len(photos) == 1 else f"None of the {len(photos)} photos can be read."
        )
    return subjects, left_out
