"""Many photos: images a second of explain-all, by processes and by Ray, against a bare loop; memory.

usage: python -m benchmarks.bulk [--few 60] [--many 240] [--rounds 3] [--threads 2]

EfficientNet-Lite0 with its weights and SmoothDiff's default, JPEGs cut out of scikit-image's photos. Each
rival does few photos and many, in turns; the difference is the speed, and what is left of the time the start.
Writes bulk.json and .md.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import skimage.data
from PIL import Image
from smoothserve.cli.main import main as smoothserve

from .page import head, paragraph, table, text_of, write_page
from .record import Help, Record, add_out_options, conditions

_LOOP = """
import sys
from pathlib import Path
import numpy as np
import onnxruntime
from smoothserve.handlers.card import Card
from smoothserve.handlers.graph import session_options
from smoothserve.handlers.images.photo import crop, decode, to_input
session = onnxruntime.InferenceSession(sys.argv[1], session_options(int(sys.argv[3])))
card = Card.from_json(session.get_modelmeta().custom_metadata_map["smoothserve.card"])
for path in sorted(Path(sys.argv[2]).iterdir()):
    image = to_input(crop(decode(path.read_bytes()), card.preprocessing), card.preprocessing)
    session.run(["logits", "heatmap"], {"image": image[None], "target": np.array([-1])})
"""
RIVALS = {
    "loop": "a loop over ONNX Runtime, one process with {threads} threads",
    "processes": "explain-all, {threads} workers of one thread",
    "ray": "explain-all --engine ray, {threads} actors of one thread",
}


def photos(folder: Path, count: int) -> Path:
    """A folder of so many JPEGs, each another cut-out."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    whole = [Image.fromarray(getattr(skimage.data, name)()) for name in ("chelsea", "coffee", "rocket")]
    for number in range(count):
        photo = whole[number % 3]
        left, top, right, below = generator.integers(0, 60, 4)
        box = (left, top, photo.width - right, photo.height - below)
        photo.crop(tuple(map(int, box))).save(folder / f"{number:05}.jpg", quality=90)
    return folder


def command(rival: str, model: Path, folder: Path, out: Path, threads: int) -> list[str]:
    """What is run, and timed."""
    if rival == "loop":
        return [sys.executable, "-c", _LOOP, str(model), str(folder), str(threads)]
    engine = ["--engine", "ray"] if rival == "ray" else []
    return [
        sys.executable, "-m", "smoothserve.cli.main", "explain-all", str(folder), "--model", str(model), "-o",
        str(out), "--workers", str(threads), "--chunk", "20", *engine,
    ]  # fmt: skip


def run(words: list[str]) -> tuple[float, float]:
    """Seconds that it took, and MB that it and its children held at most; what they share counts once."""
    start = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most, ended = 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.5):
            most = max(most, _megabytes(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    if process.wait():
        raise RuntimeError(f"{words} failed")
    seconds = time.perf_counter() - start
    ended.set()
    watcher.join()
    return seconds, most


def _megabytes(pid: int) -> float:
    held = 0.0
    try:
        own = psutil.Process(pid)
        for each in [own, *own.children(recursive=True)]:
            held += each.memory_full_info().pss / 1e6
    except psutil.Error:
        return 0.0  # one ended meanwhile; the next look counts
    return held


def measure(few: int, many: int, rounds: int, threads: int) -> dict[str, Any]:
    """Figures of each rival."""
    taken: dict[str, list[tuple[float, float, float, float]]] = {rival: [] for rival in RIVALS}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = folder / "model.onnx"
        if smoothserve(["export", "efficientnet-lite0", "-o", str(model), "--fast"]):
            raise RuntimeError("the export failed")
        sources = {count: photos(folder / str(count), count) for count in (few, many)}
        for number in range(rounds):
            for rival in RIVALS:
                found = [
                    run(command(rival, model, source, folder / f"{rival}-{count}-{number}", threads))
                    for count, source in sources.items()
                ]
                (short, held_few), (long, held_many) = found
                speed = (many - few) / (long - short)
                taken[rival].append((speed, short - few / speed, held_few, held_many))
                print(f"round {number + 1}: {rival} {speed:.2f} images/s", file=sys.stderr, flush=True)
    medians = {
        rival: [statistics.median(values) for values in zip(*each, strict=True)]
        for rival, each in taken.items()
    }
    base = medians["loop"][0]
    return {
        "few": few,
        "many": many,
        "rounds": rounds,
        "rivals": {
            rival: {
                "images_a_second": round(speed, 2),
                "over_loop": round(speed / base, 2),
                "start_s": round(start, 1),
                "few_mb": round(held_few),
                "many_mb": round(held_many),
            }
            for rival, (speed, start, held_few, held_many) in medians.items()
        },
    }


def report(result: dict[str, Any]) -> str:
    """The page."""
    few, many = result["few"], result["many"]
    rows = [
        (
            RIVALS[rival].format(threads=result["threads"]),
            own["images_a_second"],
            own["over_loop"],
            own["start_s"],
            f"{own['few_mb']}, {own['many_mb']}",
        )
        for rival, own in result["rivals"].items()
    ]
    return text_of(
        [
            *head("Many photos", "benchmarks.bulk", "bulk", result),
            *paragraph(
                "EfficientNet-Lite0 with SmoothDiff's default, from JPEG files. Each rival explained "
                f"{few} photos and {many}, whole commands, in turns, {result['rounds']} times; figures are "
                "medians. Images a second are of the photos that the longer run has more; the start is "
                "what is left of the time. Memory is of all processes together at their most (PSS: what "
                "they share is counted once)."
            ),
            *table(
                (
                    "what",
                    "images a second",
                    "over the loop",
                    "start, s",
                    f"MB with {few} photos, with {many}",
                ),
                rows,
            ),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("--few", type=int, default=60, help="photos of the shorter run")
    parser.add_argument("--many", type=int, default=240, help="photos of the longer run")
    parser.add_argument("--rounds", type=int, default=3, help="figures are medians")
    parser.add_argument("--threads", type=int, default=2, help="of each rival, all its processes together")
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("bulk", arguments)
    if not arguments.report:
        own = measure(arguments.few, arguments.many, arguments.rounds, arguments.threads)
        packages = ("onnxruntime", "ray", "pyarrow", "pillow")
        record.write({**conditions(arguments.threads, packages), **own})
    write_page(record.page, report(record.read()))


if __name__ == "__main__":
    main()
