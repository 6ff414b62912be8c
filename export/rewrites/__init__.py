"""Identities on ONNX graphs."""
