"""The adapter to Triton's Python backend."""
