"""Explanation model -> files: a verified .onnx, and a TorchServe archive around it."""

from smoothserve.handlers.card import Card, Preprocessing

from .archive import check_name, to_archive
from .contract import check_file
from .errors import (
    ArchiveError,
    ConversionError,
    ExportError,
    MissingDependencyError,
    VerificationError,
)
from .onnx_file import default_preprocessing, to_onnx
from .verification import Report, verify

__all__ = [
    "ArchiveError",
    "Card",
    "ConversionError",
    "ExportError",
    "MissingDependencyError",
    "Preprocessing",
    "Report",
    "VerificationError",
    "check_file",
    "check_name",
    "default_preprocessing",
    "to_archive",
    "to_onnx",
    "verify",
]
