"""The captured network: its ATen graph, and where in the user's code each operation was called."""
