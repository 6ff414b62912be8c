"""The page: who computes how many nodes, and what CUDA lacks."""

from __future__ import annotations

from typing import Any

from ..page import bullets, head, paragraph, table, text_of


def report(result: dict[str, Any]) -> str:
    """The page."""
    rows = result["rows"]
    spellings = list(dict.fromkeys(row["spelling"] for row in rows))
    found = {(row["network"], row["method"], row["spelling"]): row for row in rows}
    graphs = dict.fromkeys((row["network"], row["method"]) for row in rows)
    return text_of(
        [
            *head("On a graphics processor, by assignment", "benchmarks.placement", "placement", result),
            *paragraph(
                "Which nodes ONNX Runtime's CUDA provider takes, as onnxruntime-gpu itself decides when it "
                "loads a file. The driver is a stub that computes nothing (`benchmarks/placement/driver.c`), "
                "so nothing is said of speed or of values."
            ),
            *table(
                ("network", "method", *spellings),
                (
                    (*graph, *(_cell(found.get((*graph, spelling))) for spelling in spellings))
                    for graph in graphs
                ),
            ),
            *bullets(
                "The first number of a cell: nodes on the device. In brackets: nodes on the processor "
                "because the provider wants their results there, which are sizes, a few integers.",
                "In bold: nodes that the provider cannot take. Activations are copied to the processor and "
                "back for each.",
                "*for processors*: as files are written by default; *for GPUs*: with `--for gpu`, or in "
                "float16.",
            ),
        ]
    )


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    lacking = sum(row["lacking"].values())
    named = ", ".join(f"{count} {operator}" for operator, count in sorted(row["lacking"].items()))
    return f"{row['cuda']} ({row['processor'] - lacking})" + (f" **{named}**" if named else "")
