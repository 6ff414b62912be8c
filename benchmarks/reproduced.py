"""The outputs of 'smoothserve reproduce', made small for the documentation.

usage: python -m benchmarks.reproduced FOLDER [--out docs/reproduced]

FOLDER is what ``smoothserve reproduce -o FOLDER`` wrote. Its pages are copied; pictures become JPEGs of at
most 1200 pixels. Pages of other experiments that are there already stay. Writes index.md, which lists them.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from PIL import Image
from smoothserve.experiments import EXPERIMENTS

from .page import paragraph, table, text_of
from .record import Help

_SIDE = 1200  # pixels
_QUALITY = 80
_PICTURE = re.compile(r"\]\(([\w-]+)\.png\)")


def copied(source: Path, out: Path) -> None:
    """One experiment's page and pictures."""
    text = source.read_text()
    for name in _PICTURE.findall(text):
        with Image.open(source.with_name(f"{name}.png")) as picture:
            small = picture.convert("RGB")
            small.thumbnail((_SIDE, 10 * _SIDE))
            small.save(out / f"{name}.jpg", quality=_QUALITY)
    (out / source.name).write_text(_PICTURE.sub(r"](\1.jpg)", text))
    facts = json.loads(source.with_suffix(".json").read_text())
    (out / source.with_suffix(".json").name).write_text(json.dumps(facts, indent=1) + "\n")


def index(out: Path) -> str:
    """The page that lists what is there, and what is not."""
    rows = []
    for experiment in EXPERIMENTS:
        figures = out / f"{experiment.name}.json"
        if figures.exists():
            facts = json.loads(figures.read_text())
            shows = f"[{experiment.shows}]({experiment.name}.md)"
            minutes = "under 1" if facts["seconds"] < 60 else f"{facts['seconds'] / 60:.0f}"
            rows.append((shows, experiment.source, facts["conditions"]["date"], minutes))
        else:
            rows.append((experiment.shows, experiment.source, "not yet", ""))
    return text_of(
        [
            "# The papers' experiments, run",
            "",
            *paragraph(
                "What `smoothserve reproduce` writes, whole, on EfficientNet-Lite0 with its ImageNet weights "
                "and the three photos that come along. The papers have other networks and many photos, so "
                "compare orders, not figures. What an experiment computed is not computed again by the next, "
                "so minutes are of the first that needs it. "
                "[How to run them](../how-to/reproduce-experiments.md), also on the papers' networks."
            ),
            *table(("experiment", "of", "date", "minutes"), rows),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/reproduced"), metavar="DIR", help="of the pages"
    )
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for page in sorted(arguments.folder.glob("*.md")):
        copied(page, arguments.out)
    (arguments.out / "index.md").write_text(index(arguments.out))


if __name__ == "__main__":
    main()
