"""Classifier -> Program: export, check, and find the place of the batch."""
