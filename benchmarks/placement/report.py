"""The page: who computes how many nodes, and what CUDA lacks."""

from __future__ import annotations

from typing import Any

from ..page import bullets, head, paragraph, table, text_of
from ..spelled import SPELLINGS

_COLUMNS = (*SPELLINGS, "WebGPU")


def report(result: dict[str, Any]) -> str:
    """The page."""
    rows = result["rows"]
    spellings = sorted({row["spelling"] for row in rows}, key=_COLUMNS.index)
    found = {(row["network"], row["method"], row["spelling"]): row for row in rows}
    graphs = dict.fromkeys((row["network"], row["method"]) for row in rows)
    return text_of(
        [
            *head("On a graphics processor, by assignment", "benchmarks.placement", "placement", result),
            *paragraph(
                "Which nodes ONNX Runtime's CUDA provider takes, as onnxruntime-gpu itself decides when it "
                "loads a file. The driver is a stub that computes nothing (`benchmarks/placement/driver.c`), "
                "so nothing is said of speed or of values. The last column: which its WebGPU provider takes, "
                "as onnxruntime-webgpu decides on Vulkan in software, of the files for GPUs."
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
                "because the provider wants their results there, or has no kernel for integers: sizes and "
                "classes, a few numbers.",
                "In bold: nodes with floating-point results that the provider cannot take. Activations are "
                "copied to the processor and back for each.",
                "*for processors*: as files are written by default; *for GPUs*: with `--for gpu`; *float16*: "
                "with `--dtype float16`.",
                captured(rows),
            ),
        ]
    )


def captured(rows: list[dict[str, Any]]) -> str:
    """Which files CUDA graphs can be made of."""
    asked = [row for row in rows if "capture" in row]
    refused = [row for row in asked if not row["capture"]]
    if not refused:
        return f"CUDA graphs (`--device cuda+graphs`): ONNX Runtime agrees to record all {len(asked)} files."
    named = ", ".join(f"{row['network']} {row['method']} {row['spelling']}" for row in refused)
    return f"CUDA graphs: ONNX Runtime refuses {len(refused)} of {len(asked)} files: {named}."


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    lacking = sum(row["lacking"].values())
    named = ", ".join(f"{count} {operator}" for operator, count in sorted(row["lacking"].items()))
    return f"{row['device']} ({row['processor'] - lacking})" + (f" **{named}**" if named else "")
