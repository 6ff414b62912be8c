"""One model and one method of the zoo, in a process of its own; prints a JSON line."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

METHODS = ("Gradient", "SmoothGrad", "IntegratedGradients", "SmoothDiff")


def build(name: str) -> tuple[nn.Module, int]:
    """A classifier with random weights in eval mode, and the side of its smallest usual input."""
    library, _, model_name = name.partition(":")
    torch.manual_seed(0)
    if library == "timm":
        import timm

        model = timm.create_model(model_name, pretrained=False, num_classes=10)
        size = int(model.default_cfg.get("input_size", (3, 224, 224))[-1])
        if not model.default_cfg.get("fixed_input_size", False):
            size = min(size, 128)
        return model.eval(), size
    from torchvision import models

    options = {"init_weights": False} if model_name in ("googlenet", "inception_v3") else {}
    model = models.get_model(model_name, weights=None, **options)
    fixed = {"inception_v3": 128, "maxvit_t": 224, "vit_h_14": 224}
    size = fixed.get(model_name, 224 if model_name.startswith("vit") else 96)
    return model.eval(), size


def randomise(model: nn.Module) -> None:
    """Give zero-initialised heads, biases and layer scales values, as training would."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.numel() and not bool(parameter.any()):
                parameter.normal_(0, 0.02, generator=generator)
            elif parameter.numel() > 1 and float(parameter.abs().max()) < 1e-4:
                parameter.fill_(0.1)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.05, generator=generator)


def autograd(model: nn.Module, method: object, image: Tensor, target: Tensor) -> Tensor | None:
    """The method by plain autograd, or None where it has no such equivalent."""
    from smoothserve.explainers import Gradient, IntegratedGradients, SmoothGrad

    def gradient(points: Tensor) -> Tensor:
        leaf = points.clone().requires_grad_()
        logits = model(leaf)
        (result,) = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), leaf)
        return result

    if isinstance(method, Gradient):
        return gradient(image)
    if isinstance(method, SmoothGrad):
        noise = method.buffers(tuple(image.shape[1:]))["noise"].to(image) * method.std
        return torch.stack([gradient(image + e) for e in noise]).mean(0)
    if isinstance(method, IntegratedGradients):
        nodes, weights = method.quadrature()
        return image * sum(w * gradient(a * image) for a, w in zip(nodes, weights, strict=True))
    return None


def measure(name: str, method_name: str) -> dict[str, object]:
    import onnx
    from smoothserve.explainers import Gradient, IntegratedGradients, SmoothDiff, SmoothGrad, explain
    from smoothserve.export import to_onnx

    method = {
        "Gradient": Gradient(), "SmoothGrad": SmoothGrad(2, 0.2),
        "IntegratedGradients": IntegratedGradients(2), "SmoothDiff": SmoothDiff(2, 0.2),
    }[method_name]  # fmt: skip
    model, size = build(name)
    randomise(model)
    generator = torch.Generator().manual_seed(5)
    image = torch.randn(2, 3, size, size, generator=generator)
    row: dict[str, object] = {"size": size}
    start = time.perf_counter()
    explained = explain(model, image[:1], method)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.onnx"
        report = to_onnx(explained, path)
        row["export_seconds"] = round(time.perf_counter() - start, 1)
        row["nodes"] = len(onnx.load(path).graph.node)
        row["mb"] = round(path.stat().st_size / 1e6, 1)
    row["onnx_error"] = report.figures()["relative_l2"]["attribution"]["median"]
    # Against autograd in float64, where float32's kinks do not get in the way.
    double = model.double()
    in_double = explain(double, image[:1].double(), method)(image.double())
    wanted = autograd(double, method, image.double(), in_double.explained_class)
    if wanted is not None:
        error = (in_double.attribution - wanted).norm() / wanted.norm().clamp(min=1e-300)
        row["autograd_error"] = float(error)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="torchvision:NAME or timm:NAME")
    parser.add_argument("method", choices=METHODS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    row: dict[str, object] = {"model": arguments.model, "method": arguments.method}
    try:
        row.update(measure(arguments.model, arguments.method), ok=True)
    except Exception as error:
        row.update(ok=False, reason=f"{type(error).__name__}: {' '.join(str(error).split())}"[:400])
    row["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(row))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
