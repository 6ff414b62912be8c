"""The mistakes and failures of writing files, one type per kind."""

from importlib.util import find_spec


class ExportError(Exception):
    """Base of everything that ``smoothserve.export`` raises on purpose."""


class ConversionError(ExportError):
    """The explanation graph has an operation that cannot be written to ONNX."""


class VerificationError(ExportError):
    """The written file does not compute what the explanation model computes."""


class ArchiveError(ExportError):
    """The .mar archive could not be built."""


class MissingDependencyError(ExportError):
    """An optional package is needed for this step."""


def require(module: str, extra: str, subject: str) -> None:
    """Raise MissingDependencyError, saying that ``subject`` is not installed, where ``module`` cannot be found."""
    if find_spec(module) is None:
        raise MissingDependencyError(f"{subject} is not installed: pip install 'smoothserve[{extra}]'.")
