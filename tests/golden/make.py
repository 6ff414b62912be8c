"""Makes the golden files: photos, their crops, and what EfficientNet-Lite0 says about them.

usage: python -m tests.golden.make [MODEL.onnx]

MODEL.onnx: of ``smoothserve export efficientnet-lite0 --samples 4 -o MODEL.onnx``. Exported if it is left
out.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import smoothserve
from PIL import features
from smoothserve.cli.main import main as command
from smoothserve.handlers.card import CHANNELS, INTERPOLATIONS, Preprocessing
from smoothserve.handlers.images.photo import crop, decode, to_input

from .photos import PHOTOS
from .read import EVERY, FOLDER, sha256

EXPORT = ("export", "efficientnet-lite0", "--samples", "4")
TOLERANCES = {".png": 1e-5, ".jpg": 1e-3}
TARGETS = {"cat.png": 287, "cup-large.jpg": 504}  # lynx, coffee mug: asked for besides what is predicted
PREPARED = (  # resize, crop
    (None, (45, 61)),
    (80, (64, 64)),
    (64, (63, 30)),
    (300, (224, 299)),
)


def main() -> None:
    for name in ("photos", "crops", "heatmaps"):
        shutil.rmtree(FOLDER / name, ignore_errors=True)
        (FOLDER / name).mkdir()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "model.onnx"
        if len(sys.argv) == 1 and command([*EXPORT, "-o", str(path)]) != 0:
            raise SystemExit("The model could not be exported; see above.")
        model = smoothserve.load(path)
        for name, content in PHOTOS.items():
            (FOLDER / "photos" / name).write_bytes(content())
        cases = [case(model, name, None) for name in PHOTOS]
        cases += [case(model, name, target) for name, target in TARGETS.items()]
    manifest = {
        "made_by": "python -m tests.golden.make",
        "versions": {
            **{name: version(name) for name in ("onnxruntime", "torch", "onnx", "numpy", "pillow")},
            "libjpeg-turbo": features.version("libjpeg_turbo"),
        },
        "export": f"smoothserve {' '.join(EXPORT)} -o model.onnx",
        "preprocessing": asdict(model.card.preprocessing),
        "cases": cases,
        "prepared": prepared(),
    }
    (FOLDER / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def case(model: smoothserve.LoadedModel, photo: str, target: int | None) -> dict[str, Any]:
    """An entry of the manifest; its crop and heatmap are written."""
    path = FOLDER / "photos" / photo
    picture = crop(decode(path.read_bytes()), model.card.preprocessing)
    picture.save(FOLDER / "crops" / f"{path.stem}.png", optimize=True)
    answer = model.explain(path, target)
    name = path.stem if target is None else f"{path.stem}-{target}"
    np.save(FOLDER / "heatmaps" / f"{name}.npy", np.ascontiguousarray(answer.heatmap[::EVERY, ::EVERY]))
    return {
        "name": name,
        "photo": photo,
        "target": target,
        "explained_class": answer.class_index,
        "label": answer.label,
        "probability": answer.value,
        "tolerance": TOLERANCES[path.suffix],
        "input_sha256": sha256(to_input(picture, model.card.preprocessing)),
    }


def prepared() -> list[dict[str, Any]]:
    """Digests of inputs: each filter, order of colours and kind of crop; of photos without loss alone."""
    found = []
    photos = [name for name in PHOTOS if name.endswith(".png")]
    for number, interpolation in enumerate(INTERPOLATIONS):
        for turn, (resize, size) in enumerate(PREPARED):
            photo = photos[(number * len(PREPARED) + turn) % len(photos)]
            channels = CHANNELS[turn % 3]
            count = len(channels)
            steps = Preprocessing(
                resize,
                size,
                (0.485, 0.456, 0.406)[:count],
                (0.229, 0.224, 0.225)[:count],
                interpolation,
                channels,
            )
            picture = crop(decode((FOLDER / "photos" / photo).read_bytes()), steps)
            digest = sha256(to_input(picture, steps))
            found.append({"photo": photo, "preprocessing": asdict(steps), "sha256": digest})
    return found


if __name__ == "__main__":
    main()
