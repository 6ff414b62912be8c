"""Tests of explainers/passes."""
