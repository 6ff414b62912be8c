"""A real Triton, with the model repositories that the command makes."""
