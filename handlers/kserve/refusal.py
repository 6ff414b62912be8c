"""A request that gets no answer, in the words of REST and of gRPC."""

from __future__ import annotations

import json

from grpc import StatusCode
from grpc_interceptor.exceptions import GrpcException
from smoothserve.handlers.answer import Answer

_CODES = {
    400: StatusCode.INVALID_ARGUMENT,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    413: StatusCode.RESOURCE_EXHAUSTED,
    422: StatusCode.OUT_OF_RANGE,
    500: StatusCode.INTERNAL,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
}


class Refusal(GrpcException):
    """Why; KServe hands its gRPC code and details on, and :mod:`smoothserve.handlers.kserve.rest` the status.

    Args:
        status: of HTTP.
        message: for the client.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message, _CODES.get(status, StatusCode.UNKNOWN))
        self.status, self.message = status, message

    @classmethod
    def of(cls, answer: Answer) -> Refusal:
        """What the service answered with another status than 200."""
        return cls(answer.status, json.loads(answer.body)["error"]["message"])
