"""Golden files: photos, the inputs that they become and the answers that they get, for every runtime."""
