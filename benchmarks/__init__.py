"""Measurements that anybody can rerun: figures go to benchmarks/results, pages to docs/measurements."""
