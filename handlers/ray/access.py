"""A line of JSON for each request, on standard output, which Ray gathers."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone

from starlette.requests import Request

_LONGEST = 200  # characters of what a client chose


def request_id(request: Request) -> str:
    """What the request is called: as the client says in X-Request-ID, or as Ray's proxy does.

    The proxy sends it back in the same header of the answer.
    """
    return str(request.headers.get("x-request-id", ""))[:_LONGEST]


def write_line(request: Request, status: int, received: int, sent: int, seconds: float) -> None:
    """Say what became of a request.

    Args:
        request: that was answered.
        status: of the answer; 499: the client went away.
        received: bytes of the body.
        sent: bytes of the answer.
        seconds: from the first of the request to the last of the answer.
    """
    client = request.client
    line = {
        "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "request_id": request_id(request),
        "client": None if client is None else client.host,
        "method": request.method,
        "path": request.url.path[:_LONGEST],
        "status": status,
        "received": received,
        "sent": sent,
        "seconds": round(seconds, 4),
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
