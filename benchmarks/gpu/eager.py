"""The explanation model in PyTorch: eager, as a CUDA graph, compiled; and captum on the same device."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ..zoo_one import bundled_or_random
from . import files
from .speed import turns

_SAMPLES = 50
_METHODS = ("Gradient", "SmoothDiff", "SmoothDiff(8)", "SmoothGrad(50)")
_MOST = 8  # images at once with fifty samples
Call = Callable[[], Any]


def measure(arguments: argparse.Namespace, network: str) -> Iterator[dict[str, Any]]:
    """A row for each call and batch."""
    device = torch.device(arguments.device)
    torch.backends.cudnn.allow_tf32 = False  # as in the sessions
    rows: list[dict[str, Any]] = []
    refused: dict[str, str] = {}
    for batch in arguments.batches:
        image = torch.randn((batch, 3, 224, 224), device=device)
        calls = ours(network, files.chosen(arguments, _METHODS), image, device, refused)
        if not arguments.few:
            calls |= captums(network, image, device, refused)
        for name, seconds in turns(calls).items():
            rows.append(
                {
                    "network": network,
                    "call": name,
                    "batch": batch,
                    "ms": 1000 * seconds,
                    "per_second": batch / seconds,
                }
            )
        yield {"rows": rows, "refused": refused}


def ours(
    network: str, methods: tuple[str, ...], image: Tensor, device: torch.device, refused: dict[str, str]
) -> dict[str, Call]:
    """Calls of explanation models, and of the classifier alone."""
    target = torch.full((len(image),), -1, device=device)
    classifier = bundled_or_random(network).eval().to(device)
    models: dict[str, Callable[[Tensor, Tensor], Any]] = {
        files.PREDICTION: lambda image, _: classifier(image),
        **{method: files.model(network, method).to(device) for method in methods},
    }
    calls: dict[str, Call] = {}
    for name, model in models.items():
        if name.endswith("(50)") and len(image) > _MOST:
            continue
        kinds: dict[str, Callable[[], Call]] = {
            "eager": lambda m=model: waiting(lambda: m(image, target), device)
        }
        if device.type == "cuda":
            kinds["CUDA graph"] = lambda m=model: recorded(lambda: m(image, target), device)
            if name in ("SmoothDiff", files.PREDICTION):  # it compiles for minutes on a processor
                kinds["compiled"] = lambda m=model: compiled(m, image, target, device)
        for kind, make in kinds.items():
            key = f"{name}, {kind}"
            if key in refused:
                continue
            try:
                call = make()
                call()
                calls[key] = call
            except Exception as error:
                refused[key] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return calls


def waiting(call: Call, device: torch.device, autograd: bool = False) -> Call:
    """The call, which returns when the device is done."""

    def called() -> None:
        with torch.inference_mode(not autograd):
            call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return called


def compiled(
    model: Callable[[Tensor, Tensor], Any], image: Tensor, target: Tensor, device: torch.device
) -> Call:
    """By torch.compile."""
    made = torch.compile(model)
    return waiting(lambda: made(image, target), device)


def recorded(call: Call, device: torch.device) -> Call:
    """As a CUDA graph of PyTorch's."""
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side), torch.inference_mode():
        for _ in range(3):
            call()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph), torch.inference_mode():
        call()

    def replay() -> None:
        graph.replay()
        torch.cuda.synchronize(device)

    return replay


def captums(network: str, image: Tensor, device: torch.device, refused: dict[str, str]) -> dict[str, Call]:
    """captum's, with fifty samples or steps."""
    try:
        from captum.attr import IntegratedGradients, NoiseTunnel, Saliency
    except ImportError as error:
        refused["captum"] = str(error)
        return {}
    if len(image) > _MOST:
        return {}
    classifier = bundled_or_random(network).eval().to(device)
    target = classifier(image).argmax(1)

    tunnel, integrated = NoiseTunnel(Saliency(classifier)), IntegratedGradients(classifier)
    return {
        f"captum NoiseTunnel({_SAMPLES})": waiting(
            lambda: tunnel.attribute(
                image,
                nt_samples=_SAMPLES,
                nt_samples_batch_size=_SAMPLES,
                stdevs=0.3,
                target=target,
                abs=False,
            ),
            device,
            autograd=True,
        ),
        f"captum IntegratedGradients({_SAMPLES})": waiting(
            lambda: integrated.attribute(
                image, n_steps=_SAMPLES, internal_batch_size=_SAMPLES * len(image), target=target
            ),
            device,
            autograd=True,
        ),
    }
