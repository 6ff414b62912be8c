"""Every runtime on the golden photos: how far its answers are from Python's."""
