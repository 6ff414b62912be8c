"""Explanation model -> files: a verified .onnx, and a TorchServe archive around it."""

from smoothserve.handlers.card import Card, Preprocessing

from .archive import check_name, to_archive
from .checks.contract import check_file
from .checks.parity import Report, verify
from .errors import (
    ArchiveError,
    ConversionError,
    ExportError,
    MissingDependencyError,
    VerificationError,
)
from .onnx_file import default_preprocessing, to_onnx

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
