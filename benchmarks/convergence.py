"""How few samples are enough: similarity to a converged SmoothGrad over the number of samples.

usage: python -m benchmarks.convergence [--networks squeezenet1_1] [--reference 3000] [--seeds 3]

Real weights, real photos. Writes convergence.json, .md and .png.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from skimage.metrics import structural_similarity
from smoothserve.explainers import Gradient, Method, SmoothDiff, SmoothGrad, explain, heatmap
from smoothserve.explainers.capture import capture
from smoothserve.export import to_onnx
from torch import Tensor, nn

from .networks import NETWORKS, PHOTOS, network, photo
from .page import head, paragraph, table, text_of, write_page
from .record import Help, Record, add_networks_option, add_out_options
from .untraced import attribution

SAMPLES = (2, 4, 8, 16, 32)
STD = {"efficientnet-lite0": 0.3, "squeezenet1_1": 0.5}
CHUNK = 20
VARIANTS: dict[str, Method] = {
    "SmoothGrad": SmoothGrad(2),
    "SmoothGrad, antithetic": SmoothGrad(2, antithetic=True),
    "SmoothDiff as published": SmoothDiff(2, antithetic=False, estimator="count"),
    "SmoothDiff, antithetic": SmoothDiff(2, estimator="count"),
    "+ gaussian": SmoothDiff(2, pool=1),
    "+ variance pooled 5x5": SmoothDiff(2),
}


def gradient_session(classifier: nn.Module, image: Tensor) -> onnxruntime.InferenceSession:
    """The plain gradient in ONNX Runtime, several times faster than eager PyTorch."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gradient.onnx"
        to_onnx(explain(classifier, image, Gradient()), path)
        return onnxruntime.InferenceSession(path.read_bytes())


def converged(
    session: onnxruntime.InferenceSession, image: Tensor, target: Tensor, std: float, samples: int
) -> Tensor:
    """SmoothGrad with many samples, independent of each other, in chunks."""
    chunks = -(-samples // CHUNK)
    methods = [SmoothGrad(CHUNK, std, seed=10_000 + index) for index in range(chunks)]
    total = np.zeros(image.shape[1:])
    for index, so_far in enumerate(gradient_sums(session, image, target, methods)):
        total = so_far
        if index % 25 == 0:
            print(f"    reference: {index * CHUNK} of {samples} samples", file=sys.stderr, flush=True)
    return torch.from_numpy(total / (chunks * CHUNK)).float()[None]


def add_reference_option(parser: argparse.ArgumentParser) -> None:
    """``--reference``, the samples of :func:`converged`."""
    parser.add_argument(
        "--reference", type=int, default=3000, metavar="N", help="samples of the converged SmoothGrad"
    )


def gradient_sums(
    session: onnxruntime.InferenceSession, image: Tensor, target: Tensor, methods: Iterable[SmoothGrad]
) -> Iterator[npt.NDArray[np.float64]]:
    """The sum of the gradients ``[C, H, W]`` at the noisy copies of all methods so far, after each one."""
    shape = tuple(image.shape[1:])
    total = np.zeros(shape)
    for method in methods:
        generator = torch.Generator().manual_seed(method.seed or 0)  # independent noise for every sample
        points = image + method.std * torch.randn((method.samples, *shape), generator=generator)
        classes = np.full(method.samples, int(target), dtype=np.int64)
        (each,) = session.run(["attribution"], {"image": points.numpy(), "target": classes})
        total = total + np.asarray(each).sum(0, dtype=np.float64)
        yield total


def similarity(one: Tensor, other: Tensor) -> tuple[float, float]:
    """SSIM of the heatmaps (range 1, scikit-image's defaults) and cosine of the attributions."""
    maps = [heatmap(a, signed=False)[0].numpy() for a in (one, other)]
    cosine = torch.cosine_similarity(one.flatten(), other.flatten(), 0)
    return float(structural_similarity(*maps, data_range=1.0)), float(cosine)


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each network, photo, method and number of samples."""
    for name in arguments.networks:
        classifier, preprocessing = network(name)
        session = gradient_session(classifier, photo(PHOTOS[0], preprocessing))
        for picture in PHOTOS:
            image = photo(picture, preprocessing)
            program = capture(classifier, image)
            with torch.no_grad():
                target = classifier(image).argmax(1)
            print(f"{name}, {picture}: class {int(target)}", file=sys.stderr, flush=True)
            truth = converged(session, image, target, STD[name], arguments.reference)
            for label, variant in VARIANTS.items():
                for samples in SAMPLES:
                    measured = []
                    start = time.perf_counter()
                    for seed in range(arguments.seeds):
                        method = replace(variant, samples=samples, std=STD[name], seed=seed)
                        measured.append(similarity(attribution(program, image, target, method), truth))
                    seconds = (time.perf_counter() - start) / arguments.seeds
                    ssim, cosine = np.mean(measured, axis=0).tolist()
                    yield {
                        "network": name, "photo": picture, "std": STD[name], "method": label,
                        "samples": samples, "ssim": ssim, "cosine": cosine, "eager_seconds": seconds,
                    }  # fmt: skip
                    print(
                        f"    {label}, n={samples}: SSIM {ssim:.2f}, cosine {cosine:.2f}",
                        file=sys.stderr,
                        flush=True,
                    )


def report(result: dict[str, Any]) -> str:
    """The page."""
    noise = ", ".join(f"{name} with noise {std}" for name, std in STD.items())
    return text_of(
        [
            *head("How many samples are enough", "benchmarks.convergence", "convergence", result),
            *paragraph(
                f"Similarity to SmoothGrad with {result['reference_samples']} samples, mean of "
                f"{result['seeds']} seeds. {noise}, in units of the normalised input. Real ImageNet weights, "
                "photos of scikit-image. The last column is the default of `SmoothDiff`."
            ),
            "![SSIM over samples](convergence.png)",
            "",
            "## SSIM of the heatmaps",
            "",
            *_similarities(result["rows"], "ssim"),
            "## Cosine of the attributions",
            "",
            *_similarities(result["rows"], "cosine"),
        ]
    )


def _similarities(results: list[dict[str, Any]], figure: str) -> list[str]:
    """A row for each network, photo and number of samples."""
    labels = list(VARIANTS)
    known = {(r["network"], r["photo"], r["samples"], r["method"]): r[figure] for r in results}
    rows = []
    for name, picture, samples in itertools.product(NETWORKS, PHOTOS, SAMPLES):
        title = f"{name}, {Path(picture).stem}" if samples == SAMPLES[0] else ""
        cells = [f"{known[name, picture, samples, label]:.2f}" for label in labels]
        rows.append((title, samples, *cells))
    return table(("network, photo", "n", *labels), rows)


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """SSIM over the number of samples, a panel for each network and photo."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(NETWORKS), len(PHOTOS), figsize=(11, 8), sharex=True, sharey=True)
    for row, name in enumerate(NETWORKS):
        for column, picture in enumerate(PHOTOS):
            panel = axes[row][column]
            for label in VARIANTS:
                chosen = [
                    r for r in results if (r["network"], r["photo"], r["method"]) == (name, picture, label)
                ]
                panel.plot(
                    [r["samples"] for r in chosen], [r["ssim"] for r in chosen], marker="o", label=label
                )
            panel.set_xscale("log", base=2)
            panel.set_title(f"{name}, {Path(picture).stem}, noise {STD[name]}")
            panel.set_xlabel("samples")
            panel.set_ylabel("SSIM to converged SmoothGrad")
            panel.grid(alpha=0.3)
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add_networks_option(parser, NETWORKS)
    add_reference_option(parser)
    parser.add_argument("--seeds", type=int, default=3, help="each figure is a mean over this many seeds")
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("convergence", arguments)
    if not arguments.report:
        record.write(
            {
                "date": str(date.today()),
                "versions": {"torch": torch.__version__},
                "reference_samples": arguments.reference,
                "seeds": arguments.seeds,
                "rows": [*record.rows(arguments.networks), *rows(arguments)],
            }
        )
    result = record.read()
    write_page(record.page, report(result))
    draw(result["rows"], record.picture)


if __name__ == "__main__":
    main()
