"""One classifier through capture, export, ONNX Runtime and autograd; a JSON line for each method.

usage: python -m benchmarks.zoo_one timm:resnet18 [--methods Gradient SmoothDiff] [--threads 1]
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from smoothserve.cli.models import load_model
from smoothserve.explainers import (
    ExplanationModel,
    GradCAM,
    Gradient,
    IntegratedGradients,
    Method,
    Program,
    SmoothDiff,
    SmoothGrad,
    explain_program,
    relevance_for,
)
from smoothserve.explainers.capture import capture
from smoothserve.export import to_onnx
from torch import Tensor, nn

Row = dict[str, Any]
METHODS: dict[str, Method | None] = {  # None: see relevance_for()
    "Gradient": Gradient(),
    "SmoothGrad": SmoothGrad(2, 0.2),
    "IntegratedGradients": IntegratedGradients(2),
    "SmoothDiff": SmoothDiff(2, 0.2),
    "GradCAM": GradCAM(),
    "LRP": None,
}
LIMIT = 1e-3  # relative L2 error against autograd
_VIT_SIDE = 224  # position embeddings fix it
_SIDE = {"inception_v3": 128, "maxvit_t": 224}


def build(name: str) -> tuple[nn.Module, tuple[int, int, int]]:
    """A classifier with random weights in eval mode, and the shape of a small image that it takes."""
    library, _, model_name = name.partition(":")
    torch.manual_seed(0)
    if library == "timm":
        import timm

        model = timm.create_model(model_name, pretrained=False, num_classes=10)
        channels, height, width = model.pretrained_cfg.get("input_size", (3, 224, 224))
        return model.eval(), _smallest(model, channels, height, width)
    from torchvision import models

    options = {"init_weights": False} if model_name in ("googlenet", "inception_v3") else {}
    model = models.get_model(model_name, weights=None, **options).eval()
    side = _SIDE.get(model_name, _VIT_SIDE if model_name.startswith("vit") else 96)
    return model, (3, side, side)


def _smallest(model: nn.Module, channels: int, height: int, width: int) -> tuple[int, int, int]:
    """96 or 128 pixels where the model takes them, else what it was made for."""
    for side in (96, 128):
        if side < height:
            try:
                with torch.no_grad():
                    model(torch.zeros(2, channels, side, side))
            except Exception:
                continue
            return channels, side, side
    return channels, height, width


def randomise(model: nn.Module) -> None:
    """Give zero-initialised heads, biases and layer scales values, as training would."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() and not bool(parameter.any()):
                parameter.normal_(0.02, 0.02, generator=generator)  # above 0: some networks end in a ReLU
            elif parameter.numel() > 1 and float(parameter.abs().max()) < 1e-4:
                parameter.normal_(0.1, 0.1, generator=generator)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.05, generator=generator)


def bundled_or_random(name: str) -> nn.Module:
    """EfficientNet-Lite0 with its weights, or a network of torchvision with random ones.

    Time does not depend on them.
    """
    torch.manual_seed(0)
    if name == "efficientnet-lite0":
        return load_model(name).classifier
    classifier = load_model(f"torchvision:{name}").classifier
    randomise(classifier)
    return classifier


def autograd(model: nn.Module, method: Method, image: Tensor, target: Tensor) -> Tensor | None:
    """The method by plain autograd, or None where it has no such equivalent."""

    def gradient(points: Tensor) -> Tensor:
        leaf = points.clone().requires_grad_()
        logits = model(leaf)
        (result,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), leaf)
        return result

    if isinstance(method, Gradient):
        return gradient(image)
    if isinstance(method, SmoothGrad):
        copies = method.copies(image, method.buffers(tuple(image.shape[1:])))
        points = torch.cat([chunk.unflatten(0, (-1, image.shape[0])) for chunk in copies])
        return torch.stack([gradient(each) for each in points]).mean(0)
    if isinstance(method, IntegratedGradients):
        nodes, weights = method.quadrature()
        return image * sum(w * gradient(a * image) for a, w in zip(nodes, weights, strict=True))
    return None


def chosen(name: str, program: Program) -> Method:
    """One of :data:`METHODS`."""
    return METHODS[name] or relevance_for(program)


def measure(program: Program, model: nn.Module, method: Method, images: Tensor) -> Row:
    """Errors, sizes and seconds of one method; the seconds leave the shared capture out."""
    row: Row = {}
    start = _clock()
    explained = explain_program(program, method)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        report = to_onnx(explained, path)
        row["seconds"] = _seconds_since(start)
        row["nodes"] = len(onnx.load(path, load_external_data=False).graph.node)
        row["mb"] = round(sum(p.stat().st_size for p in Path(folder).iterdir()) / 1e6, 1)
    row["onnx_error"] = report.figures()["relative_l2"]["attribution"]["median"]
    model.double()  # only now: two copies of the largest networks and a runtime's take more than 20 GB
    try:
        error = _autograd_error(explained.in_float64(), model, images)
        if error is not None and error > LIMIT:
            # Weights folded with BatchNorm are rounded to float32, which random networks may magnify.
            error = _autograd_error(
                explain_program(capture(model, images[:1].double()), method), model, images
            )
    finally:
        model.float()
    row["autograd_error"] = error
    return row


def _clock() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _seconds_since(start: tuple[float, float]) -> float:
    """The smaller of wall-clock and processor time, so that work beside the sweep counts little."""
    return min(now - then for now, then in zip(_clock(), start, strict=True))


def _autograd_error(explained: ExplanationModel, model: nn.Module, images: Tensor) -> float | None:
    """Relative L2 distance to autograd in float64, where float32's kinks do not get in the way."""
    out = explained(images.double())
    wanted = autograd(model, explained.method, images.double(), out.explained_class)
    if wanted is None:
        return None
    return float((out.attribution - wanted).norm() / wanted.norm().clamp(min=1e-300))


def rows(name: str, methods: list[str]) -> Iterator[Row]:
    """A row for each method; what goes wrong is in the row."""
    try:
        model, shape = build(name)
        randomise(model)
        images = torch.randn(2, *shape, generator=torch.Generator().manual_seed(5))
        start = _clock()
        program = capture(model, images[:1])
        captured = _seconds_since(start)
    except Exception as error:
        for method in methods:
            yield {"method": method, "ok": False, "reason": _reason(error)}
        return
    for method in methods:
        row: Row = {"method": method, "size": shape[-1]}
        try:
            meant = chosen(method, program)
            row.update(measure(program, model, meant, images), ok=True, by=type(meant).__name__)
            row["seconds"] = round(row["seconds"] + captured, 1)
        except Exception as error:
            row.update(ok=False, reason=_reason(error))
        row["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        yield row


def _reason(error: Exception) -> str:
    """The error without this machine's folders."""
    text = re.sub(r"/\S*/(site-packages|tmp\w*)/", "", " ".join(str(error).split()))
    return f"{type(error).__name__}: {text}"[:400]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="torchvision:NAME or timm:NAME")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(arguments.threads)
    for row in rows(arguments.model, arguments.methods):
        print(json.dumps({"model": arguments.model, **row}), flush=True)


if __name__ == "__main__":
    main()
