"""Several methods' heatmaps of several photos: computed, drawn, and written as a page and a picture."""
