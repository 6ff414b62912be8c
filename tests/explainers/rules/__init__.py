"""Tests of explainers/rules."""
