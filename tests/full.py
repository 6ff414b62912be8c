"""What only ``scripts/test.sh --full`` runs: more networks and samples of what the others show already."""

from __future__ import annotations

import os

import pytest

FULL = os.environ.get("SMOOTHSERVE_FULL") == "1"

only_full = pytest.mark.skipif(not FULL, reason="long, and like others that run: scripts/test.sh --full")
