"""Explanation model -> files: a verified .onnx, and a TorchServe archive around it."""

from smoothserve.handlers.card import Card, Preprocessing

from .archive import check_name, to_archive
from .checks.contract import Contract, check_contract
from .checks.elsewhere import check_device
from .checks.parity import Parity, check_parity
from .checks.session import load_session
from .conversion import convert
from .errors import (
    ArchiveError,
    ConversionError,
    ExportError,
    MissingDependencyError,
    VerificationError,
    require,
)
from .half import products_in_float16
from .onnx_file import RUNS_ON, card_of, default_preprocessing, problem_of_name, to_onnx
from .prediction import prediction_graph
from .triton.config import TritonSettings
from .triton.repository import COMMAND as REPOSITORY_COMMAND
from .triton.repository import LISTED as REPOSITORY_FILE
from .triton.repository import model_names, write_repository
from .weights import WEIGHTS, weight_files, weights_stored_as

__all__ = [
    "REPOSITORY_COMMAND",
    "REPOSITORY_FILE",
    "RUNS_ON",
    "WEIGHTS",
    "ArchiveError",
    "Card",
    "Contract",
    "ConversionError",
    "ExportError",
    "MissingDependencyError",
    "Parity",
    "Preprocessing",
    "TritonSettings",
    "VerificationError",
    "card_of",
    "check_contract",
    "check_device",
    "check_name",
    "check_parity",
    "convert",
    "default_preprocessing",
    "load_session",
    "model_names",
    "prediction_graph",
    "problem_of_name",
    "products_in_float16",
    "require",
    "to_archive",
    "to_onnx",
    "weight_files",
    "weights_stored_as",
    "write_repository",
]
