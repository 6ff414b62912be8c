"""Expectations over noisy samples: means, variances, slopes, winners of windows."""
