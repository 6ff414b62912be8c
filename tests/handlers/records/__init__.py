"""Records of explanations: what is written, when it cannot be, and what the check sees."""
