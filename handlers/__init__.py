"""Inside the server: bytes in; status, content type and bytes out. Needs onnxruntime, numpy and pillow."""
