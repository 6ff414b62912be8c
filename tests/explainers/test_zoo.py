"""A fixed tenth of the sweep over torchvision and timm, chosen to touch every kind of operation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from smoothserve.explainers import LRP, AttnLRP, GradCAM, Gradient, Program, SmoothDiff
from smoothserve.explainers.capture import capture
from smoothserve.explainers.graph.arguments import arguments_by_name

from benchmarks.untraced import attribution
from benchmarks.zoo_one import LIMIT, METHODS, autograd, build, chosen, measure, randomise
from tests.full import only_full

CASES = {
    "torchvision:squeezenet1_1": ("ceil-mode max pool", "cat"),
    "torchvision:shufflenet_v2_x0_5": ("depthwise", "transpose", "chunk or split"),  # channel shuffle
    "torchvision:mnasnet0_5": ("depthwise", "strided"),
    "torchvision:mobilenet_v3_small": ("hardswish", "hardsigmoid"),
    "torchvision:regnet_y_400mf": ("grouped", "sigmoid"),
    "timm:cpubone_nano": ("group_norm", "attention", "upsample_nearest2d"),
    "timm:lowformer_b0": ("conv_transpose2d",),
    "timm:resnest14d": ("softmax", "avg_pool2d"),
    "timm:skresnet18": ("dilated", "stack"),
    "timm:convnext_zepto_rms": ("rsqrt", "depthwise"),
}
LONG = {  # a minute or two each, with operations that rows of rules show, too
    "torchvision:alexnet": ("overlapping max pool", "adaptive_avg_pool2d"),
    "torchvision:efficientnet_b0": ("silu", "sigmoid", "mul"),
    "torchvision:densenet121": ("cat", "avg_pool2d"),
    "torchvision:swin_t": ("roll", "layer_norm", "softmax"),  # window shift
    "timm:edgenext_xx_small": ("linalg_vector_norm", "chunk or split"),
    "timm:convit_tiny": ("matmul", "gelu"),
    "timm:vit_tiny_patch16_224": ("attention", "gelu", "layer_norm"),
}


def kinds(program: Program) -> set[str]:
    """What a program computes with, in the words of ``CASES``."""
    found: set[str] = set()
    for node in program.calls:
        name = getattr(node.target, "__name__", str(node.target)).removeprefix("aten.").partition(".")[0]
        found.add(name)
        if name in ("chunk", "split", "split_with_sizes"):
            found.add("chunk or split")
        if name == "conv2d":
            given = arguments_by_name(node.target, node.args, node.kwargs)
            found |= _kinds_of_convolution(given, node.meta["val"].shape[1])
        if name == "max_pool2d":
            given = arguments_by_name(node.target, node.args, node.kwargs)
            found |= {"overlapping max pool"} if max(given["kernel_size"]) > min(given["stride"]) else set()
            found |= {"ceil-mode max pool"} if given["ceil_mode"] else set()
    return found


def _kinds_of_convolution(given: dict[str, Any], channels: int) -> set[str]:
    return {
        *(["strided"] if given["stride"] != [1, 1] else []),
        *(["dilated"] if given["dilation"] != [1, 1] else []),
        *(["depthwise"] if given["groups"] == channels else []),
        *(["grouped"] if given["groups"] not in (1, channels) else []),
    }


@pytest.mark.parametrize("name", [*CASES, *(pytest.param(name, marks=only_full) for name in LONG)])
def test_a_classifier_all_the_way(name: str) -> None:
    """Gradient through ONNX Runtime at two batch sizes; in float64 every method against autograd."""
    model, shape = build(name)
    randomise(model)
    images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(5))
    program = capture(model, images[:1])
    assert set({**CASES, **LONG}[name]) <= kinds(program)
    row = measure(program, model, Gradient(), images)  # to_onnx raises where the file is wrong
    assert row["autograd_error"] is not None
    assert row["autograd_error"] <= LIMIT
    double, images = model.double(), images.double()
    program = capture(double, images[:1])
    with torch.no_grad():
        classes = double(images).argmax(1)
    for label in METHODS:
        method = chosen(label, program).for_program(program)
        got = attribution(program, images, classes, method)
        wanted = autograd(double, method, images, classes)
        if wanted is None:
            assert isinstance(method, (SmoothDiff, GradCAM, LRP, AttnLRP))
            assert bool(got.isfinite().all())
            assert bool(got.any())
            if not isinstance(method, SmoothDiff):
                continue
            # Without noise every sample is the image, and all expectations are the plain Jacobians.
            noiseless = replace(method, std=0.0, estimator="count")
            got = attribution(program, images, classes, noiseless)
            wanted = autograd(double, Gradient(), images, classes)
        assert wanted is not None
        assert float((got - wanted).norm()) <= 1e-7 * float(wanted.norm())


@pytest.mark.parametrize("label", METHODS)
def test_every_method_all_the_way(label: str) -> None:
    model, shape = build("timm:lcnet_035")
    randomise(model)
    images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(5))
    program = capture(model, images[:1])
    row = measure(program, model, chosen(label, program), images)
    assert row["autograd_error"] is None or row["autograd_error"] <= LIMIT
