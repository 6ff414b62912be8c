"""Measurements that anybody can rerun; their results are in docs/."""
