"""What goes over the wire: requests read, answers written. A protocol is a file here and its entry below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Protocol, Request
from .kserve_v1 import KServeV1
from .kserve_v2 import KServeV2
from .options import Offer
from .plain import Plain

# The first that recognises a request reads it. Plain recognises all, so it stands last.
PROTOCOLS: tuple[Protocol, ...] = (KServeV1(), KServeV2(), Plain())


def recognise(fields: Mapping[str, Any]) -> Protocol:
    """The protocol of a request with these ``fields``, see :func:`read_request`."""
    return _protocol(_members(fields))


def read_request(
    fields: Mapping[str, Any], headers: Mapping[str, str], explain: bool, offer: Offer, path: str = ""
) -> Request:
    """Understand one request, whatever protocol it speaks.

    Args:
        fields: form fields as bytes or text; or ``{"body": ...}`` with a raw body (bytes) or a parsed
            JSON object, whose members count as fields.
        headers: Accept, and options as ``X-Target`` and so on.
        explain: whether the endpoint for explanations was called.
        offer: what there is to choose from.
        path: options in the URL.

    Raises:
        RequestError: something is missing, unknown, too large or out of range.
    """
    members = _members(fields)
    return _protocol(members).read(members, headers, explain, offer, path)


def _members(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields``, with the members of a JSON body beside them instead of in it."""
    members = dict(fields)
    if isinstance(members.get("body"), Mapping):
        members.update(members.pop("body"))
    return members


def _protocol(members: Mapping[str, Any]) -> Protocol:
    return next(protocol for protocol in PROTOCOLS if protocol.recognises(members))
