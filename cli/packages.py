"""Optional packages, asked for before a command begins."""

from __future__ import annotations

from smoothserve.export import require


def require_for(doing: str, extra: str, *packages: str) -> None:
    """Refuse to go on without packages of an extra.

    Args:
        doing: what needs them: ``comparing``.
        extra: of smoothserve, that brings them.
        packages: as they are imported.

    Raises:
        MissingDependencyError: one cannot be found; it says which, and how to install it.
    """
    for package in packages:
        require(package, extra, f"{package}, which {doing} needs,")
