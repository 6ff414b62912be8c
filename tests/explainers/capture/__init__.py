"""Tests of explainers/capture."""
