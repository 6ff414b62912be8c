"""Free ports of this machine, and what a server there answers."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from email.message import Message


def free_ports(count: int) -> list[int]:
    """Different ones, free a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def answered(request: urllib.request.Request, timeout: float = 60) -> tuple[int, Message, bytes]:
    """Status, headers and body, of refusals, too."""
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()
