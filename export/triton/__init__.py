"""Explanation files -> what Triton serves: a model repository."""
