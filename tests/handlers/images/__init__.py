"""Tests of handlers/images."""
