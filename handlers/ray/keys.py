"""Who may ask: clients with a key, or where there are no keys, clients on this machine."""

from __future__ import annotations

import hmac
import ipaddress
import os
import string
from collections.abc import Sequence
from pathlib import Path

from smoothserve.handlers.errors import CardError

_SHORTEST = 16  # characters: 96 bits in base64
_ALLOWED = set(string.ascii_letters + string.digits + "-._~+/=")  # of a bearer token, RFC 6750


def read_keys(path: Path) -> list[str]:
    """The keys of a file, one in each line; empty lines and those that begin with # are skipped.

    Raises:
        CardError: it cannot be read, holds none, or one that is short or that no header can carry. Keys are
            not repeated in the message.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"The file of keys {path} cannot be read: {error}.") from error
    keys = []
    for number, line in enumerate(lines, 1):
        if not line or line.startswith("#"):
            continue
        if len(line) < _SHORTEST or not set(line) <= _ALLOWED:
            raise CardError(
                f"{path}, line {number}: expected a key of {_SHORTEST} or more of the characters A-Z a-z 0-9 "
                "- . _ ~ + / =; make one with: openssl rand -base64 24"
            )
        keys.append(line)
    if not keys:
        raise CardError(f"{path} holds no key; write one with: openssl rand -base64 24 >{path}")
    return keys


def check_needed(keys: Path | None) -> None:
    """Where HAProxy stands before the ingress, every client seems to be on this machine.

    Raises:
        CardError: there are no keys then, so that anybody would be answered.
    """
    if keys is None and os.environ.get("RAY_SERVE_ENABLE_HA_PROXY") == "1":
        raise CardError(
            "Behind HAProxy (RAY_SERVE_ENABLE_HA_PROXY=1) every client seems to be on this machine, so keys "
            "are needed: --keys FILE, or 'keys' in a config file."
        )


def is_known(authorization: str, keys: Sequence[str]) -> bool:
    """Whether an Authorization header holds one of the keys; takes as long for any that does not."""
    scheme, _, given = authorization.partition(" ")
    token = given.strip().encode()
    matches = [hmac.compare_digest(token, key.encode()) for key in keys]
    return scheme.lower() == "bearer" and any(matches)


def is_loopback(host: str) -> bool:
    """Whether an address, or localhost, is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
