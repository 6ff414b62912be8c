"""Classifier -> Program: export, check, and find the place of the batch and what the outputs are."""

from .exported import capture

__all__ = ["capture"]
