"""Bodies of requests, bounded while they come."""

from __future__ import annotations

import asyncio

from smoothserve.handlers.errors import RequestError
from starlette.requests import ClientDisconnect, Request


async def received(request: Request, limit: int, seconds: float) -> bytes:
    """All of a body, and never more than ``limit`` bytes of it.

    Args:
        request: whose body was not read yet.
        limit: bytes.
        seconds: that the client has to send it.

    Raises:
        RequestError: 413, it is larger, which is said before it is read if its Content-Length says so; 408,
            it does not come.
    """
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > limit:
        raise _too_large(limit)
    try:
        return await asyncio.wait_for(_gathered(request, limit), seconds)
    except (asyncio.TimeoutError, ClientDisconnect):
        raise RequestError(f"The request was not sent within {seconds:g} s.", 408) from None


async def _gathered(request: Request, limit: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def _too_large(limit: int) -> RequestError:
    return RequestError(f"The request has more than {limit:,} bytes, which is what this server allows.", 413)
