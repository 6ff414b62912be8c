"""The mistakes a caller or an operator can make at serving time."""


class RequestError(Exception):
    """A request that cannot be answered; carries the HTTP status to answer it with.

    Args:
        message: what was given, what was expected, what to do; it is sent to the client.
        status: 4xx.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class CardError(Exception):
    """A file that is no explanation model, or one of a format that this version doesn't know."""


class NoCardError(CardError):
    """An .onnx file that smoothserve did not make."""


class RecordError(Exception):
    """A file or line of records that cannot be read, or that is not what it was when it was written."""
