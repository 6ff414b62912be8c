"""The serving benchmark as Markdown."""

from __future__ import annotations

from typing import Any

from .record import versions_line


def report(result: dict[str, Any]) -> str:
    """What was measured, with the ratios that matter."""
    latency, through, isolation = result["latency"], result["throughput"], result["isolation"]
    versions = versions_line(result)
    ratio = latency["explanation, stock"]["p50"] / latency["explanation, smoothserve"]["p50"]
    plain = latency["prediction, smoothserve"]["p50"] / latency["prediction, stock"]["p50"]
    lines = [
        "# What serving costs",
        "",
        f"{result['date']}, {result['machine']}, {versions}; {result['network']}, {result['photo']}. "
        "`python -m benchmarks.serving` measures it again.",
        "",
        "*smoothserve*: the archive with its defaults (SmoothDiff, 8 samples; batchSize 1). *bare calls*: the same decoding, ONNX "
        "Runtime run and encoding in a Python process, without a server. *stock*: TorchServe's `image_classifier`, whose "
        "explanations are captum's IntegratedGradients of class 0 with 15 steps, sent as a list of numbers.",
        "",
        "## One client, all rivals in turns",
        "",
        "| | p50 ms | p95 | p99 | answer kB |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {row['p50']} | {row['p95']} | {row['p99']} | {result['bytes'][name] / 1000:.1f} |"
            for name, row in latency.items()
        ),
        "",
        f"The service adds {result['overhead']['prediction']} ms to a prediction and {result['overhead']['explanation']} ms to an "
        f"explanation (difference of medians). A prediction takes {plain:.2f} times as long as stock's; "
        f"stock's explanation takes {ratio:.1f} times as long as ours.",
        "",
        "## Four clients without pause",
        "",
        "| | answers a second | p50 ms | p95 | p99 |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {row['per_second']:.1f} | {row['p50']} | {row['p95']} | {row['p99']} |"
            for name, row in through.items()
        ),
        "",
        "## Predictions while two clients ask for explanations without pause",
        "",
        "| | p50 ms | p95 | p99 | p50 before the load | explanations a second |",
        "|---|---|---|---|---|---|",
        *(
            f"| {name} | {row['predictions']['p50']} | {row['predictions']['p95']} | {row['predictions']['p99']} "
            f"| {row['predictions_alone']['p50']} | {row['explanations_per_second']:.1f} |"
            for name, row in isolation.items()
        ),
        "",
        "With one registration a prediction waits in the queue behind every explanation that came before it. With two it only "
        "shares the processor, and the explaining worker yields (nice 10). That is why `scripts/serve.sh` registers twice.",
    ]
    return "\n".join(lines) + "\n"
