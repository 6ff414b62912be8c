"""Tests of explainers/averaging."""
