"""The tests of a file share what its fixtures made: they stay with one of pytest's workers."""

from __future__ import annotations

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="only with pytest -n")
def test_a_files_tests_stay_together(request: pytest.FixtureRequest) -> None:
    # pytest-xdist tells the group to its scheduler in the test's id; where it cannot, every
    # worker sets up every file's fixtures, and all goes on, twice as slow.
    assert request.node.nodeid.endswith("@test_workers.py")
