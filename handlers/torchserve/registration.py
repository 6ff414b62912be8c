"""How one archive is registered twice: by these names it knows which of the two it is."""

from __future__ import annotations

SUFFIX = "-explain"  # of the registration that answers explanations
SPLIT = "SMOOTHSERVE_SPLIT"  # environment: 1 where scripts/serve.sh registers models twice
