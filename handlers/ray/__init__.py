"""The adapter to Ray Serve."""
