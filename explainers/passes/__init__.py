"""Rewrites of graphs that change no value."""
