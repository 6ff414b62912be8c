"""What is said where an optional package is missing."""

from __future__ import annotations

import pytest
from smoothserve.cli.packages import require_for
from smoothserve.export import MissingDependencyError


def test_the_missing_one_is_named_with_the_remedy() -> None:
    require_for("tuning", "evaluation", "numpy")
    words = (
        r"nowhere_to_be_found, which tuning needs, is not installed: pip install 'smoothserve\[evaluation\]'"
    )
    with pytest.raises(MissingDependencyError, match=words):
        require_for("tuning", "evaluation", "numpy", "nowhere_to_be_found")
