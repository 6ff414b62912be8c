"""Records of explanations: a JSON line for each, in files that show whether a line was changed or removed."""
