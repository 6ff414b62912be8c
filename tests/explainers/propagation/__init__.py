"""Tests of explainers/propagation."""
