"""Inside the server: bytes in, (status, content type, bytes) out. Needs onnxruntime, numpy and pillow only."""
