"""The adapter to TorchServe."""
