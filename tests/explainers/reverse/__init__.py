"""Tests of explainers/reverse."""
