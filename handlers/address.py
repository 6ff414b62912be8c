"""Addresses to listen on."""

from __future__ import annotations

import socket

from .errors import CardError


def address(host: str, port: int) -> str:
    """``127.0.0.1:8081``, ``[::1]:8081``"""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_free(host: str, port: int) -> None:
    """Raise CardError unless the address can be listened on: before a model is loaded, and in one line."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        raise CardError(
            f"{address(host, port)} cannot be listened on: {error}. Stop what runs there, or give another "
            "--host, or another port."
        ) from error
