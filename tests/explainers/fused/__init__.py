"""Tests of explainers/fused."""
