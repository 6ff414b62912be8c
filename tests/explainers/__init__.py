"""Tests of explainers."""
