"""Tests of export/rewrites."""
