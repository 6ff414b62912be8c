"""The adapter to KServe's ModelServer."""
