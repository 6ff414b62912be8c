"""How long until a heatmap is good: SmoothDiff, its default estimator in ONNX Runtime, against captum.

usage: python -m benchmarks.equal_quality [--networks squeezenet1_1] [--reference 3000]

Quality is the SSIM to a SmoothGrad of thousands of samples. What captum's estimator (independent noise, mean
of plain gradients) reaches with n samples is computed in ONNX Runtime, which is faster and gives the same
numbers; its time is captum's own, at the batch size that suits it best. Writes equal-quality.json, .md and
.png.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from captum.attr import NoiseTunnel, Saliency
from smoothserve.explainers import SmoothDiff, SmoothGrad, explain_program
from smoothserve.explainers.capture import capture
from smoothserve.export import to_onnx
from torch import Tensor, nn

from .convergence import (
    CHUNK,
    STD,
    add_reference_option,
    converged,
    gradient_session,
    gradient_sums,
    similarity,
)
from .networks import NETWORKS, PHOTOS, network, photo
from .page import head, paragraph, table, text_of, write_page
from .record import (
    Help,
    Record,
    add_networks_option,
    add_out_options,
    add_timing_options,
    conditions,
    open_session,
)
from .timing import interleaved

GOAL = 0.70
OURS = (0, 2, 4, 8)  # samples that correct propagated moments
THEIRS = (20, 40, 100, 200, 400, 800, 1600)
CAPTUM_BATCHES = (1, 5, 10, 25)
CAPTUM_SAMPLES = 25
Curve = list[tuple[float, float]]  # milliseconds, SSIM


@dataclass
class Subject:
    """A network on a photo, and what a good heatmap is there."""

    session: onnxruntime.InferenceSession
    classifier: nn.Module
    image: Tensor
    target: Tensor
    std: float
    truth: Tensor


def their_quality(subject: Subject) -> dict[int, float]:
    """SSIM of captum's estimator by its number of samples: running means of one stream of noise."""
    methods = [SmoothGrad(CHUNK, subject.std, seed=index) for index in range(max(THEIRS) // CHUNK)]
    sums = gradient_sums(subject.session, subject.image, subject.target, methods)
    return {
        samples: similarity(torch.from_numpy(total / samples).float()[None], subject.truth)[0]
        for samples, total in zip(itertools.count(CHUNK, CHUNK), sums, strict=False)
        if samples in THEIRS
    }


def our_sessions(classifier: nn.Module, image: Tensor, std: float, threads: int) -> dict[int, Any]:
    """A session for each number of samples."""
    program = capture(classifier, image)
    sessions = {}
    with tempfile.TemporaryDirectory() as folder:
        for samples in OURS:
            path = Path(folder) / f"{samples}.onnx"
            to_onnx(explain_program(program, SmoothDiff(samples, std, estimator="propagated")), path)
            sessions[samples] = open_session(path.read_bytes(), threads)
            print(f"  exported SmoothDiff({samples})", file=sys.stderr, flush=True)
    return sessions


def times(subject: Subject, sessions: dict[int, Any], rounds: int) -> tuple[dict[int, float], float, int]:
    """Milliseconds of each of our files; captum's for one sample, and the batch size that gives them."""
    tunnel = NoiseTunnel(Saliency(subject.classifier))
    feeds = {"image": subject.image.numpy(), "target": subject.target.numpy()}

    def captum(batch: int) -> None:
        tunnel.attribute(
            subject.image, nt_type="smoothgrad", nt_samples=CAPTUM_SAMPLES, nt_samples_batch_size=batch,
            stdevs=subject.std, target=int(subject.target), abs=False,
        )  # fmt: skip

    rivals = {f"ours {n}": lambda s=s: s.run(["logits", "heatmap"], feeds) for n, s in sessions.items()}
    rivals |= {f"captum {batch}": lambda batch=batch: captum(batch) for batch in CAPTUM_BATCHES}
    taken = interleaved(rivals, rounds, slow=[name for name in rivals if name.startswith("captum")])
    median = {name: 1000 * statistics.median(values) for name, values in taken.items()}
    best = min(CAPTUM_BATCHES, key=lambda batch: median[f"captum {batch}"])
    return {n: median[f"ours {n}"] for n in sessions}, median[f"captum {best}"] / CAPTUM_SAMPLES, best


def cheapest(points: Curve) -> float | None:
    """Milliseconds of the fastest setting that reaches the goal; None if none does."""
    return min((milliseconds for milliseconds, quality in points if quality >= GOAL), default=None)


def until(curve: Curve) -> float | None:
    """Milliseconds where the curve reaches the goal, log-linear between its points; None if it doesn't."""
    for (earlier, low), (later, high) in itertools.pairwise(curve):
        if low < GOAL <= high:
            share = (GOAL - low) / (high - low)
            return float(np.exp(np.log(earlier) + share * (np.log(later) - np.log(earlier))))
    return curve[0][0] if curve[0][1] >= GOAL else None


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """For each network and photo: both curves, and the time to the goal."""
    for name in arguments.networks:
        classifier, preprocessing = network(name)
        session = gradient_session(classifier, photo(PHOTOS[0], preprocessing))
        sessions = our_sessions(classifier, photo(PHOTOS[0], preprocessing), STD[name], arguments.threads)
        for picture in PHOTOS:
            image = photo(picture, preprocessing)
            with torch.no_grad():
                target = classifier(image).argmax(1)
            truth = converged(session, image, target, STD[name], arguments.reference)
            subject = Subject(session, classifier, image, target, STD[name], truth)
            yield {
                "network": name,
                "photo": Path(picture).stem,
                **compared(subject, sessions, arguments.rounds),
            }


def compared(subject: Subject, sessions: dict[int, Any], rounds: int) -> dict[str, Any]:
    """Both curves, captum's best batch size, and the milliseconds until either reaches the goal."""
    milliseconds, captum, batch = times(subject, sessions, rounds)
    feeds = {"image": subject.image.numpy(), "target": subject.target.numpy()}
    ours: Curve = []
    for samples, session in sessions.items():
        (attribution,) = session.run(["attribution"], feeds)
        quality, _ = similarity(torch.from_numpy(attribution), subject.truth)
        ours.append((round(milliseconds[samples], 1), round(quality, 3)))
    theirs = [(round(n * captum, 1), round(quality, 3)) for n, quality in their_quality(subject).items()]
    return {
        "captum_batch": batch, "ours": ours, "captum": theirs,
        "until": {"ours": cheapest(ours), "captum": until(theirs)},
    }  # fmt: skip


def report(result: dict[str, Any]) -> str:
    """The page."""
    header = ("network, photo", "SmoothDiff, ONNX Runtime", "captum NoiseTunnel(Saliency)", "ratio")
    return text_of(
        [
            *head("Time until a heatmap is good", "benchmarks.equal_quality", "equal-quality", result),
            *paragraph(
                f"Milliseconds until the SSIM to a SmoothGrad of {result['reference_samples']} samples "
                f"reaches {GOAL:.2f}: of SmoothDiff with propagated moments, the fastest of "
                f"{', '.join(map(str, OURS))} samples that does; of captum, between measured points "
                "log-linearly. Real weights, real photos."
            ),
            "![quality over time](equal-quality.png)",
            "",
            *table(header, (_cells(row) for row in result["rows"])),
            *paragraph(
                "What captum's estimator reaches with n samples is computed with the gradient in ONNX "
                "Runtime, which gives the same numbers sooner. Its time is n times captum's own for one "
                f"sample, measured with {CAPTUM_SAMPLES} at the batch size that suits it best."
            ),
        ]
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    ours, captum = row["until"]["ours"], row["until"]["captum"]
    last = row["captum"][-1]
    theirs = f"{captum:.0f}" if captum else f"over {last[0]:.0f} (SSIM {last[1]:.2f} there)"
    ratio = f"{captum / ours:.1f}" if captum and ours else f"over {last[0] / ours:.0f}" if ours else "-"
    return f"{row['network']}, {row['photo']}", f"{ours:.0f}" if ours else "-", theirs, ratio


def draw(result: dict[str, Any], path: Path) -> None:
    """Quality over milliseconds, a panel for each network and photo."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(result["rows"]), figsize=(16, 4), sharey=True, squeeze=False)
    for panel, row in zip(axes[0], result["rows"], strict=True):
        for key, label in (("ours", "SmoothDiff, ONNX Runtime"), ("captum", "captum NoiseTunnel(Saliency)")):
            panel.plot(*zip(*row[key], strict=True), marker="o", label=label)
        panel.axhline(GOAL, color="grey", linewidth=0.8)
        panel.set_xscale("log")
        panel.set_xlabel("milliseconds")
        panel.set_title(f"{row['network']}, {row['photo']}")
        panel.grid(alpha=0.3)
    axes[0][0].set_ylabel("SSIM to converged SmoothGrad")
    axes[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    add_networks_option(parser, NETWORKS)
    add_reference_option(parser)
    add_timing_options(parser, 9)
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("equal-quality", arguments)
    if not arguments.report:
        torch.set_num_threads(arguments.threads)
        result = {
            **conditions(arguments.threads, ("torch", "onnxruntime", "captum")),
            "reference_samples": arguments.reference,
            "rows": record.rows(arguments.networks),
        }
        for row in rows(arguments):
            print(row, file=sys.stderr, flush=True)
            result["rows"].append(row)
            record.write(result)
    result = record.read()
    write_page(record.page, report(result))
    draw(result, record.picture)


if __name__ == "__main__":
    main()
