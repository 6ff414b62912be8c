"""The serving benchmark's page."""

from __future__ import annotations

from typing import Any

from .page import bullets, head, paragraph, table, text_of


def report(result: dict[str, Any]) -> str:
    """What was measured, with the ratios that matter."""
    latency, overhead = result["latency"], result["overhead"]
    ratio = latency["explanation, stock"]["p50"] / latency["explanation, smoothserve"]["p50"]
    plain = latency["prediction, smoothserve"]["p50"] / latency["prediction, stock"]["p50"]
    return text_of(
        [
            *head("What serving costs", "benchmarks.serving", "serving", result),
            *paragraph(f"{result['network']}; {result['photo']}."),
            *bullets(
                "*smoothserve*: the archive with its defaults (SmoothDiff, 8 samples; batchSize 1).",
                "*bare calls*: the same decoding, ONNX Runtime run and encoding in a Python process, "
                "without a server.",
                "*stock*: TorchServe's `image_classifier`, whose explanations are captum's "
                "IntegratedGradients of class 0 with 15 steps, sent as a list of numbers.",
            ),
            "## One client, all rivals in turns",
            "",
            *table(("", "p50 ms", "p95", "p99", "answer kB"), _latency(result)),
            *paragraph(
                f"The service adds {overhead['prediction']} ms to a prediction and {overhead['explanation']} "
                f"ms to an explanation (difference of medians). A prediction takes {plain:.2f} times as long "
                f"as stock's; stock's explanation takes {ratio:.1f} times as long as ours."
            ),
            "## Four clients without pause",
            "",
            *table(("", "answers a second", "p50 ms", "p95", "p99"), _throughput(result)),
            "## Predictions while two clients ask for explanations without pause",
            "",
            *table(
                ("", "p50 ms", "p95", "p99", "p50 before the load", "explanations a second"),
                _isolation(result),
            ),
            *paragraph(
                "With one registration a prediction waits in the queue behind every explanation that came "
                "before it. With two it only shares the processor, and the explaining worker yields (nice "
                "10). That is why `scripts/serve.sh` registers twice."
            ),
        ]
    )


def _latency(result: dict[str, Any]) -> list[tuple[object, ...]]:
    size = result["bytes"]
    return [
        (name, row["p50"], row["p95"], row["p99"], f"{size[name] / 1000:.1f}")
        for name, row in result["latency"].items()
    ]


def _throughput(result: dict[str, Any]) -> list[tuple[object, ...]]:
    return [
        (name, f"{row['per_second']:.1f}", row["p50"], row["p95"], row["p99"])
        for name, row in result["throughput"].items()
    ]


def _isolation(result: dict[str, Any]) -> list[tuple[object, ...]]:
    return [
        (
            name, row["predictions"]["p50"], row["predictions"]["p95"], row["predictions"]["p99"],
            row["predictions_alone"]["p50"], f"{row['explanations_per_second']:.1f}",
        )
        for name, row in result["isolation"].items()
    ]  # fmt: skip
