"""smoothserve tune: which noise and how many samples suit a network."""
