"""Methods, settings and metrics over a folder of photos: planned, measured, resumed, and written down."""
