"""Sites for browsers: the folder, ONNX Runtime for it, and a server to look at it."""
