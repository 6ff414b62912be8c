"""Does it work for every classifier? Sweeps torchvision (and timm's families), a process for each model and method.

usage: python -m benchmarks.zoo [--library torchvision|timm] [--methods Gradient ...] [--out docs/zoo-torchvision.json]

Resumes where it was interrupted: results are kept in the JSON file, a row each; delete a row to
measure it again. A Markdown table is written beside it. Weights are random: structure is what is tested.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

from .zoo_one import METHODS

TIME_LIMIT = 900  # s, for a model and method
LIMIT = 1e-3  # relative L2 error


def torchvision_models() -> list[str]:
    """All image classifiers of torchvision, small ones first."""
    from torchvision import models

    names = models.list_models(module=models)
    sizes = {n: models.get_model_weights(n).DEFAULT.meta["num_params"] for n in names}
    return [f"torchvision:{n}" for n in sorted(names, key=lambda n: sizes[n])]


def timm_models() -> list[str]:
    """The smallest model of each timm module (family) that classifies images of a usual size."""
    import timm

    chosen = []
    for module in timm.list_modules():
        names = [n for n in timm.list_models(module=module) if "." not in n]
        if names:
            chosen.append(f"timm:{min(names, key=_weight_guess)}")
    return chosen


def _weight_guess(name: str) -> tuple[int, int, str]:
    """Sorts names that say they are small before others; the shortest name wins a draw."""
    small = ("atto", "femto", "pico", "nano", "tiny", "xxs", "_t", "small", "_s", "_050", "18", "b0")
    return (not any(word in name for word in small), len(name), name)


def run_one(model: str, method: str) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks.zoo_one", model, method]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        return {"model": model, "method": method, "ok": False, "reason": f"over {TIME_LIMIT} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if lines:
        row: dict[str, object] = json.loads(lines[-1])
        return row
    last = (done.stderr.strip().splitlines() or ["no output"])[-1]
    return {"model": model, "method": method, "ok": False, "reason": f"exit {done.returncode}: {last}"[:400]}


def verdict(row: dict[str, object]) -> str:
    if not row["ok"]:
        return str(row["reason"])
    error = row.get("autograd_error")
    if isinstance(error, float) and not error <= LIMIT:
        return f"error {error:.1e} against autograd"
    return "ok"


def report(rows: list[dict[str, object]], library: str) -> str:
    """The table as Markdown."""
    models = sorted({str(r["model"]) for r in rows})
    good = [m for m in models if all(verdict(r) == "ok" for r in rows if r["model"] == m)]
    versions = ", ".join(f"{p} {version(p)}" for p in (library, "torch", "onnx", "onnxruntime"))
    lines = [
        f"# {library}: {len(good)} of {len(models)} models, every method measured",
        "",
        f"{date.today()}, {versions}. `python -m benchmarks.zoo --library {library}` measures it again. Random weights. "
        "*autograd*: relative L2 error against plain autograd in float64; *ONNX*: ONNX Runtime against the eager model in "
        "float32, median over images, kinks included; seconds: capture, rewriting, export and verification on 2 cores.",
        "",
        "| model | method | result | autograd | ONNX | nodes | MB | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda r: (str(r["model"]), METHODS.index(str(r["method"])))):
        error, parity = row.get("autograd_error"), row.get("onnx_error")
        cells = [
            str(row["model"]).partition(":")[2], str(row["method"]), verdict(row),
            f"{error:.0e}" if isinstance(error, float) else "-", f"{parity:.0e}" if isinstance(parity, float) else "-",
            *(str(row.get(key, "-")) for key in ("nodes", "mb", "export_seconds")),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--library", choices=("torchvision", "timm"), default="torchvision")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--models", nargs="+", help="only these, such as torchvision:resnet18")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="stop after this long; run again to go on"
    )
    parser.add_argument("--out", type=Path, help="default: docs/zoo-LIBRARY.json")
    arguments = parser.parse_args()
    out = arguments.out or Path("docs") / f"zoo-{arguments.library}.json"
    rows: list[dict[str, object]] = json.loads(out.read_text()) if out.exists() else []
    done = {(r["model"], r["method"]) for r in rows}
    names = arguments.models or (
        torchvision_models() if arguments.library == "torchvision" else timm_models()
    )
    wanted = [(name, method) for method in arguments.methods for name in names]
    end = time.monotonic() + 60 * arguments.minutes
    for index, (name, method) in enumerate(wanted, start=1):
        if (name, method) in done:
            continue
        if time.monotonic() > end:
            print("time is up; run again to go on", file=sys.stderr)
            break
        row = run_one(name, method)
        rows.append(row)
        draft = out.with_suffix(".tmp")
        draft.write_text(json.dumps(rows, indent=0))
        draft.replace(out)
        print(
            f"{index}/{len(wanted)} {name} {method}: {verdict(row)} ({row.get('export_seconds', '-')} s)",
            file=sys.stderr,
            flush=True,
        )
    out.with_suffix(".md").write_text(report(rows, arguments.library))


if __name__ == "__main__":
    main()
