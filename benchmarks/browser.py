"""EfficientNet-Lite0's SmoothDiff in a Chromium and in Node: loading, the first heatmap, later ones, parity.

usage: python -m benchmarks.browser [--model demo_output/efficientnet-lite0.onnx] [--rounds 3]

Needs what scripts/web.sh installs. Each round opens a browser of its own for each row, in turns. Files come
from loopback, so that no network is in the figures. Writes browser.json and browser.md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import skimage
import smoothserve
from PIL import Image
from smoothserve.cli.main import main as command
from smoothserve.cli.web.runtime import wanted as tested
from smoothserve.export import WEIGHTS

from tests.web.browser import answers
from tests.web.node import CHROMIUM, ORT
from tests.web.photos import distances, encoded, wanted, write
from tests.web.serving import BLANK

from .page import head, paragraph, table, text_of, write_page
from .record import Help, Record, add_out_options, conditions

MODEL = Path("demo_output/efficientnet-lite0.onnx")
LATER = 5  # calls behind the first
THREADS = (1, 2)
PHOTOS = ("photo.png", "photo.jpg")
WHAT = ("scores", "heatmap")


def measure(model: Path, rounds: int, work: Path) -> list[dict[str, Any]]:
    """A row for each way to run the file; Python's own is the last one."""
    photo = Image.open(Path(skimage.__file__).parent / "data" / "chelsea.png").convert("RGB")
    files = {"photo.png": encoded(photo, "PNG"), "photo.jpg": encoded(photo, "JPEG", quality=92)}
    said = {name: wanted(model, content) for name, content in files.items()}
    rows = []
    for weights in WEIGHTS:
        site = work / weights
        made = command(["web", str(model), "-o", str(site), "--ort", str(ORT), "--weights", weights])
        assert made == 0
        (site / "blank.html").write_text(BLANK)
        write(site, files)
        rows += [
            {"where": "Chromium, WebAssembly", "weights": weights, "threads": threads, "site": str(site)}
            for threads in THREADS
        ]
    for row in rows:
        row["megabytes"] = round(next(Path(row["site"]).glob("models/*.onnx")).stat().st_size / 1e6, 1)
        row["rounds"] = []
    for turn in range(rounds):
        for row in rows:
            answers, taken = _asked(row, model.name, work)
            row["rounds"].append(taken)
            row["apart"] = {name: _rounded(distances(answers[name], said[name])) for name in PHOTOS}
            print(f"{turn + 1}: {row['weights']}, {row['threads']}: {taken}", file=sys.stderr, flush=True)
    return [_summed_up(row) for row in rows] + [_native(model, files["photo.png"], rounds)]


def _asked(row: dict[str, Any], name: str, work: Path) -> tuple[dict[str, Any], dict[str, float]]:
    """Answers by photo, and milliseconds, of one browser."""
    questions = [
        {"model": f"models/{name}", "photo": photo, "times": 1 + LATER if photo == PHOTOS[0] else 1}
        for photo in PHOTOS
    ]
    found = answers(Path(row["site"]), questions, work, worker=True, threads=row["threads"])
    assert found["facts"]["threads"] == row["threads"]
    times = [each["whole"] for each in found["answers"][0]["times"]]
    taken = {"load": found["facts"]["loads"][0], "first": times[0], "later": statistics.median(times[1:])}
    return dict(zip(PHOTOS, found["answers"], strict=True)), taken


def _native(model: Path, photo: bytes, rounds: int) -> dict[str, Any]:
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        loaded = smoothserve.load(model, threads=1)
        times = [time.perf_counter() - start]
        for _ in range(1 + LATER):
            start = time.perf_counter()
            loaded.explain(photo)
            times.append(time.perf_counter() - start)
        load, first, *later = (1000 * seconds for seconds in times)
        taken.append({"load": load, "first": first, "later": statistics.median(later)})
    megabytes = round(model.stat().st_size / 1e6, 1)
    row = {"where": "Python", "weights": "float32", "threads": 1, "megabytes": megabytes, "rounds": taken}
    return _summed_up(row)


def _summed_up(row: dict[str, Any]) -> dict[str, Any]:
    """Medians over the rounds."""
    kept = {name: value for name, value in row.items() if name not in ("site", "rounds")}
    medians = {
        name: round(statistics.median(each[name] for each in row["rounds"]))
        for name in ("load", "first", "later")
    }
    return {**kept, "milliseconds": medians}


def _rounded(found: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.1e}") for name, value in found.items()}


def report(result: dict[str, Any]) -> str:
    """The page."""
    header = ("runs in", "weights", "MB", "threads", "load", "first heatmap", "later ones")
    rows = [
        (row["where"], row["weights"], row["megabytes"], row["threads"], *row["milliseconds"].values())
        for row in result["rows"]
    ]
    apart = [
        (row["weights"], *(f"{row['apart'][photo][what]:.1e}" for photo in PHOTOS for what in WHAT))
        for row in result["rows"]
        if "apart" in row and row["threads"] == 1
    ]
    kinds = ("PNG: probabilities", "PNG: heatmap", "JPEG: probabilities", "JPEG: heatmap")
    return text_of(
        [
            *head("In the browser", "benchmarks.browser", "browser", result),
            *paragraph(
                f"Milliseconds of {result['model']} for a photo of 451 x 300 pixels, from its file to its "
                f"heatmap, in a worker. Medians over {result['rounds']} browsers; later ones: {LATER} calls "
                "in each. Loading takes file and ONNX Runtime from loopback, and ends when the model can be "
                "asked."
            ),
            *table(header, rows),
            *paragraph(
                "How far probabilities and heatmap are from Python's with float32 weights, as relative L2 "
                "distances, with one thread:"
            ),
            *table(("weights", *kinds), apart),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("--model", type=Path, default=MODEL, help="a file")
    parser.add_argument("--rounds", type=int, default=3, help="browsers for each row")
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("browser", arguments)
    if not arguments.report:
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(arguments.model.absolute(), arguments.rounds, Path(folder))
        result = conditions(1, ("onnxruntime",))
        del result["threads"]  # they are in the rows
        browser = subprocess.run([CHROMIUM, "--version"], capture_output=True, text=True).stdout.split()[1]
        result["versions"] |= {"onnxruntime-web": tested()["version"], "Chromium": browser}
        card = smoothserve.load(arguments.model).card
        name = f"{card.name}, {card.method['name']}({card.method.get('samples', '')})"
        record.write({**result, "model": name, "rounds": arguments.rounds, "rows": rows})
    write_page(record.page, report(record.read()))


if __name__ == "__main__":
    main()
