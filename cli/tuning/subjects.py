"""Photos as what heatmaps are made of; broken ones are reported and left out."""

from __future__ import annotations

from collections.abc import Sequence

from smoothserve.evaluation import Predict
from smoothserve.export import Preprocessing

from ..errors import UsageError
from ..photos import Photo
from ..pictures import photo_input
from ..unreadable import readable
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
    found, left_out = readable(photos, lambda photo: photo_input(photo.path, preprocessing))
    subjects = [
        Subject(str(photo.name), image, int(predict(image[None])[0].argmax())) for photo, image in found
    ]
    return subjects, left_out
