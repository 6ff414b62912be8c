"""The golden photos, asked of every runtime: one table. See :mod:`~benchmarks.parity.__main__`."""
