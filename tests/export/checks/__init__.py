"""Tests of export/checks."""
