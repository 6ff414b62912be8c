"""The mistakes a user can make while building an explanation model, one type per kind."""


class ExplainerError(Exception):
    """Base of everything that ``smoothserve.explainers`` raises on purpose."""


class TrainingModeError(ExplainerError):
    """The classifier still trains: dropout or batch normalisation are live."""


class CaptureError(ExplainerError):
    """``torch.export`` could not turn the classifier into one graph."""


class OutputError(ExplainerError):
    """The classifier does not return logits of shape ``[batch, classes]``."""


class BatchError(ExplainerError):
    """The images of a batch are not independent of each other inside the classifier."""


class InputError(ExplainerError, ValueError):
    """An image or a target has a wrong shape, type or value."""


def not_finite(what: str) -> InputError:
    """The error for images that hold NaN or infinity; ``what`` begins its sentence."""
    return InputError(
        f"{what} holds NaN or infinity, expected finite values, preprocessed as for the classifier. "
        "Look at where it was read or normalised."
    )


class MethodError(ExplainerError, ValueError):
    """A parameter of an explanation method is out of its range."""


class DifferentiationError(ExplainerError):
    """An operation on the way from the image to the logits has no derivative."""
