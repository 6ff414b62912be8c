"""The mistakes and failures of writing files, one type per kind."""


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
