"""A small KServe server, and a photo for it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest
from PIL import Image

from tests.conftest import needs_kserve
from tests.server.kserve import PACKED, KServe

SERVE = (sys.executable, "-m", "smoothserve.cli.main", "serve", "--engine", "kserve")


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KServe]:
    """A tiny network, served by the command under two names: an archive, and one of its files."""
    needs_kserve()
    folder = tmp_path_factory.mktemp("packed")
    with KServe(folder, ["small=" + str(PACKED), str(PACKED)], ["--batch-size", "4"], SERVE) as running:
        yield running


@pytest.fixture(scope="session")
def red() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 16), "red").save(buffer, format="PNG")
    return buffer.getvalue()
