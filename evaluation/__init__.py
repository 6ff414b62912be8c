"""Are attributions true? Metrics of the literature, for any classifier and any explainer.

A metric takes a :data:`Predict`, a function from images to logits, and attributions, both NumPy arrays; or an
:data:`Explain`, a function from images and classes to attributions. So it judges a PyTorch module, an ONNX
file and anybody's explainer alike.
"""

from .classes import random_logit
from .curves import Curves, deletion, flipped, gain, insertion, pixel_gain
from .explain import Reduction, explained_by, explained_by_session, reduced
from .imputers import Blurred, Constant, Histogram, Imputer, Inpainted
from .localisation import grid_pointing, mass_accuracy, pointing_game, rank_accuracy
from .mosaics import Mosaics, confident, mosaic_pointing, mosaics
from .noising import Noising, adaptive_noise
from .parameters import Randomised, efficient_parameter_randomisation, parameter_randomisation
from .predict import Explain, Predict, of_module, of_session, probabilities
from .removal import remove_and_debias
from .shape import complexity, sparseness
from .similarity import batlow_similarity, cosine, grey, grey_similarity, magnitude_ratio
from .stability import average_sensitivity, local_lipschitz, max_sensitivity
from .statistics import Difference, Mean, mean, paired_difference
from .superpixels import superpixel_curves, superpixels
from .taylor import perturbed_patches, total_variation

__all__ = [
    "Blurred",
    "Constant",
    "Curves",
    "Difference",
    "Explain",
    "Histogram",
    "Imputer",
    "Inpainted",
    "Mean",
    "Mosaics",
    "Noising",
    "Predict",
    "Randomised",
    "Reduction",
    "adaptive_noise",
    "average_sensitivity",
    "batlow_similarity",
    "complexity",
    "confident",
    "cosine",
    "deletion",
    "efficient_parameter_randomisation",
    "explained_by",
    "explained_by_session",
    "flipped",
    "gain",
    "grey",
    "grey_similarity",
    "grid_pointing",
    "insertion",
    "local_lipschitz",
    "magnitude_ratio",
    "mass_accuracy",
    "max_sensitivity",
    "mean",
    "mosaic_pointing",
    "mosaics",
    "of_module",
    "of_session",
    "paired_difference",
    "parameter_randomisation",
    "perturbed_patches",
    "pixel_gain",
    "pointing_game",
    "probabilities",
    "random_logit",
    "rank_accuracy",
    "reduced",
    "remove_and_debias",
    "sparseness",
    "superpixel_curves",
    "superpixels",
    "total_variation",
]
