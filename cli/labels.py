"""Class names from files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import UsageError


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names from a JSON list, a JSON object {"0": name, ...} or {name: 0, ...}, or lines of text.

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
        value = in_order(value, str(path))
    # torchvision and TorchServe files write ["n02123045", "tabby"]: the name comes last
    return tuple(str(item[-1] if isinstance(item, list) else item) for item in value)


def in_order(names: Mapping[Any, Any], where: str) -> list[Any]:
    """Names of an object: its values by number, or its keys, where the numbers are the values.

    The second is what torchvision's ``ImageFolder`` keeps as ``class_to_idx``.

    Raises:
        UsageError: it is neither, or numbers are missing.
    """
    numbers = list(names.values())
    if numbers and all(type(number) is int for number in numbers):
        names = {number: name for name, number in names.items()}
    try:
        by_number = {int(key): value for key, value in names.items()}
    except (TypeError, ValueError):
        by_number = {}
    if not by_number or sorted(by_number) != list(range(len(numbers))):
        raise UsageError(
            f'{where}: expected {{"0": name, "1": name, ...}}, {{name: 0, name: 1, ...}} or a list of names; '
            "numbers begin at 0, and none is left out or there twice."
        )
    return [by_number[number] for number in range(len(by_number))]
