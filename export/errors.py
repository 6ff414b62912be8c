"""The mistakes and failures of writing files, one type per kind."""

from importlib.util import find_spec


class ExportError(Exception):
    """Base of everything that ``smoothserve.export`` raises on purpose."""


class ConversionError(ExportError):
    """What is given cannot be written to ONNX: an operation of the graph, a type, or under this name."""


class VerificationError(ExportError):
    """The written file does not compute what the explanation model computes."""


class ArchiveError(ExportError):
    """The .mar archive could not be built."""


class MissingDependencyError(ExportError):
    """An optional package is needed for this step."""


def require(module: str, extra: str, subject: str) -> None:
    """Refuse to go on without an optional package.

    Args:
        module: what is imported.
        extra: of smoothserve, that brings it.
        subject: what the message says is not installed.

    Raises:
        MissingDependencyError: ``module`` cannot be found.
    """
    if find_spec(module) is None:
        raise MissingDependencyError(f"{subject} is not installed: pip install 'smoothserve[{extra}]'.")
