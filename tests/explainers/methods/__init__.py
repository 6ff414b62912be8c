"""Tests of explainers/methods."""
