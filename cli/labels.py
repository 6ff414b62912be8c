"""Class names from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .errors import UsageError


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names from a JSON list, a JSON object {"0": name, ...}, or lines of text.

    Raises:
        UsageError: the file cannot be read, or is neither of them.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The labels file {path} cannot be read: {error}") from error
    if not text.lstrip().startswith(("[", "{")):
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"The labels file {path} is no valid JSON: {error}") from error
    if isinstance(value, dict):
        value = _in_order(value, path)
    # torchvision and TorchServe files write ["n02123045", "tabby"]: the name comes last
    return tuple(str(item[-1] if isinstance(item, list) else item) for item in value)


def _in_order(names: dict[str, Any], path: Path) -> list[Any]:
    try:
        return [names[key] for key in sorted(names, key=int)]
    except ValueError as error:
        raise UsageError(f'{path}: expected {{"0": "name", ...}} or a list of names.') from error
