"""Tests; run them with scripts/test.sh."""
