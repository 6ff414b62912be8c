"""Options that name a model, its weights, outputs and labels."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from .arguments import given, positive, selector, size
from .labels import read_labels
from .models import NamedModel, load_model
from .models.photos import check_scale
from .photo_options import changed_preprocessing


def add_model_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Add them to the parser; None is the value of those that are left out."""
    group = parser.add_argument_group("the model")
    return [
        group.add_argument(
            "--weights", type=Path, metavar="FILE",
            help="state dict or checkpoint: .safetensors, .pth or .pt; for torchvision and timm also "
            "'pretrained', which downloads the library's",
        ),
        group.add_argument(
            "--classes", type=positive, metavar="K",
            help="number of classes of a fine-tuned torchvision or timm model",
        ),
        group.add_argument(
            "--size", type=size, metavar="PX|HxW",
            help="height and width of the input, such as 192 or 192x256 (default: the model's, else 224)",
        ),
        group.add_argument(
            "--logits", type=selector, metavar="NAME|N",
            help="which output holds the logits, if the model has several",
        ),
        group.add_argument(
            "--activation", choices=("softmax", "sigmoid", "none"),
            help="what makes probabilities of the outputs: softmax (exclusive classes), sigmoid (independent "
            "labels, or the positive class of one output), none (they are probabilities already, or values). "
            "Default: the network's last operation, else softmax",
        ),
        group.add_argument(
            "--keep", action="store_true", default=None,
            help="explain the probability that a final softmax or sigmoid gives, not the logit before it",
        ),
        group.add_argument(
            "--labels", type=Path, metavar="FILE",
            help="class names: one a line, or JSON (default: the model's own)"
        ),
    ]  # fmt: skip


def named_model(arguments: argparse.Namespace) -> NamedModel:
    """The model that the options name, with preprocessing and labels as they say.

    Raises:
        UsageError: the name, the weights, the labels or the numbers of the preprocessing cannot be used.
        CardError: the preprocessing contradicts itself.
    """
    if not isinstance(arguments.channels, int):
        check_scale(arguments.mean, arguments.pixel_std)
    labels = None if arguments.labels is None else read_labels(arguments.labels)
    model = load_model(arguments.model, **given(arguments, ("weights", "size", "classes")))
    return dataclasses.replace(
        model,
        preprocessing=changed_preprocessing(arguments, model.preprocessing),
        labels=model.labels if labels is None else labels,
    )
