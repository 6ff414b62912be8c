"""Clients in other languages, held against the golden files and the Python side."""
