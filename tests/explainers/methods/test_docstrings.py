"""help() of a method explains all of its parameters, those that it inherits included."""

from __future__ import annotations

import dataclasses
import inspect
import re

import pytest
from smoothserve.explainers import METHODS


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_is_explained(name: str) -> None:
    """Each once, in the order in which the method takes them."""
    text = inspect.cleandoc(METHODS[name].__doc__ or "")
    section = re.search(r"^Args:\n((?: +.*\n?)*)", text, flags=re.MULTILINE)
    explained = re.findall(r"^    (\w+): \S", section[1], flags=re.MULTILINE) if section else []
    assert explained == [field.name for field in dataclasses.fields(METHODS[name])]


def test_nothing_is_explained_elsewhere() -> None:
    for method in METHODS.values():
        assert "see NoisyMethod" not in (method.__doc__ or "")
