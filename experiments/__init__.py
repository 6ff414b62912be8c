"""The papers' experiments, on weights and photos that install from packages or on one's own."""

from . import convergence, flipping, functions, heatmaps, shattered, stability, taylor
from .experiment import Experiment, Outcome, Table
from .lab import Lab
from .writing import files_of

# A new experiment is a function Lab -> Outcome, and its entry here.
EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("shattered", "SmoothDiff, Figure 1a", "A shattered derivative in one variable", shattered.run),
    Experiment("heatmaps", "SmoothDiff, Figure 1b", "Ten samples of each method", heatmaps.comparison),
    Experiment("ssim", "SmoothDiff, Figure 2", "Similarity over samples", convergence.ssim),
    Experiment("samples", "SmoothDiff, Figures 3 and 15", "Heatmaps over samples", heatmaps.over_samples),
    Experiment("flipping", "SmoothDiff, Figure 4 and Table 1", "Relevance gain over samples", flipping.run),
    Experiment(
        "colours", "SmoothDiff, Figure 5", "Colour maps: lightness and differences", functions.colour_maps
    ),
    Experiment("pipelines", "SmoothDiff, Figure 6", "One attribution, two pictures", heatmaps.pipelines),
    Experiment("cosine", "SmoothDiff, Figure 7", "Cosine and magnitude over samples", convergence.cosines),
    Experiment("stability", "SmoothDiff, Figures 8 to 13", "Sensitivity, shape and mosaics", stability.run),
    Experiment(
        "relu", "SmoothDiff, Figure 14", "Beta smoothing and smoothed ReLUs", functions.smoothed_relus
    ),
    Experiment("classes", "SmoothDiff, Figure 16", "Several classes of one photo", heatmaps.several_classes),
    Experiment("methods", "SmoothDiff, Figure 17", "Every method", heatmaps.every_method),
    Experiment("smoothtaylor", "SmoothTaylor, tables", "Patches, variation, adaptive noising", taylor.run),
    Experiment("smoothgrad", "SmoothGrad, Figures 3 and 4", "Noise and samples", heatmaps.smoothgrad_grid),
)

__all__ = ["EXPERIMENTS", "Experiment", "Lab", "Outcome", "Table", "files_of"]
