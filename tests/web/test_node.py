"""The module in Node answers as Python does, and refuses what Python refuses."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from tests.docs.blocks import DOCS, blocks

from .node import CLIENT, ROOT, run
from .photos import distances, tolerance, wanted


def test_photos_of_every_form(lite0_onnx: Path, photo_files: Path, tmp_path: Path) -> None:
    files = sorted(photo_files.iterdir())
    questions = [{"model": str(lite0_onnx), "photo": str(file)} for file in files]
    answers = run("node.mjs", {"questions": questions}, tmp_path)
    for file, answer in zip(files, answers, strict=True):
        found = distances(answer, wanted(lite0_onnx, file.read_bytes()))
        assert max(found.values()) <= tolerance(file.name), (file.name, found)


def test_models_of_every_kind(small_models: dict[str, Path], photo_files: Path, tmp_path: Path) -> None:
    photo = photo_files / "plain.png"
    array = np.random.default_rng(3).standard_normal((5, 12, 10)).round(3)
    pixels = Image.open(photo).convert("RGB")
    (tmp_path / "pixels").write_bytes(pixels.tobytes())
    raw = {"data": str(tmp_path / "pixels"), "width": pixels.width, "height": pixels.height}
    questions, answers = [], []
    for name, model in small_models.items():
        for target in (None, 0, 1, "second", "label:1", "class:1", "0"):
            if name == "planes":
                questions.append({"model": str(model), "planes": array.ravel().tolist(), "target": target})
            else:
                questions.append({"model": str(model), "pixels": raw, "target": target})
            answers.append(wanted(model, array if name == "planes" else photo.read_bytes(), target))
    for question, got, answer in zip(
        questions, run("node.mjs", {"questions": questions}, tmp_path), answers, strict=True
    ):
        found = distances(got, answer)
        assert max(found.values()) <= 1e-5, (question["model"], found)
        kind = "value" if "values" in question["model"] else "probability"
        assert got["top"][0][kind] == pytest.approx(answer.scores.max(), rel=1e-5)


def test_mistakes_are_named(small_models: dict[str, Path], tmp_path: Path) -> None:
    signed, planes = str(small_models["signed"]), str(small_models["planes"])
    damaged, plain, newer = (tmp_path / name for name in ("damaged.onnx", "plain.onnx", "newer.onnx"))
    content = small_models["signed"].read_bytes()
    damaged.write_bytes(content[: len(content) // 2])
    without = onnx.load(small_models["signed"])
    del without.metadata_props[:]
    onnx.save(without, plain)
    newer.write_bytes(re.sub(rb'"format": \d', b'"format": 9', content))
    red = str(tmp_path / "red.png")
    Image.new("RGB", (9, 8), "red").save(red)
    Image.new("RGB", (900, 8), "red").save(tmp_path / "strip.png")
    (tmp_path / "text.png").write_text("no photo")
    expected = [
        ({"model": signed, "photo": red, "target": 4}, "TargetError", "give a number from 0 to 3"),
        ({"model": signed, "photo": red, "target": "third"}, "TargetError", 'no class "third"'),
        ({"model": signed, "photo": red, "target": "1"}, "TargetError", "give class:1 or label:1"),
        ({"model": signed, "photo": red, "target": "same"}, "TargetError", "one of the numbers 2, 3"),
        ({"model": signed, "photo": str(tmp_path / "text.png")}, "PhotoError", "cannot be read"),
        ({"model": signed, "photo": str(tmp_path / "strip.png")}, "PhotoError", "at most 50 times"),
        ({"model": signed, "pixels": {"data": red, "width": 9, "height": 8}}, "PhotoError", "a Uint8Array"),
        ({"model": planes, "planes": [1, 2]}, "PhotoError", "5 x 12 x 10 numbers, but 2 numbers came"),
        ({"model": str(damaged), "photo": red}, "ModelError", "damaged"),
        ({"model": str(plain), "photo": red}, "ModelError", "no card"),
        ({"model": str(newer), "photo": red}, "ModelError", "format 9"),
        ({"model": red, "photo": red}, "ModelError", "not an ONNX file"),
    ]  # fmt: skip
    answers = run("node.mjs", {"questions": [question for question, *_ in expected]}, tmp_path)
    for (question, name, words), answer in zip(expected, answers, strict=True):
        assert answer.get("error") == name, (question, answer)
        assert words in answer["message"], answer


def test_the_example_runs(lite0_onnx: Path, photos: dict[str, Path], tmp_path: Path) -> None:
    """And draws what Python draws of the same file."""
    out = tmp_path / "overlay.png"
    command = ["node", CLIENT / "examples/explain.mjs", lite0_onnx, photos["chelsea"], out]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tiger cat 0.39")
    import smoothserve

    said = smoothserve.load(lite0_onnx).explain(photos["chelsea"])
    picture = np.asarray(said.overlay(original=True, bare=True)).astype(int)
    got = np.asarray(Image.open(out).convert("RGB")).astype(int)
    assert np.abs(got - picture).max() <= 2


def test_the_guide_shows_the_example() -> None:
    (example,) = (
        text for text in blocks(DOCS / "how-to/run-in-a-browser.md", "js") if "process.argv" in text
    )
    assert example == (CLIENT / "examples/explain.mjs").read_text()


def test_types_hold(tmp_path: Path) -> None:
    """The module against its own types, and a program that uses them: right, then wrong."""
    tsc = [CLIENT / "node_modules/.bin/tsc", "-p"]
    done = subprocess.run([*tsc, CLIENT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    emit = [*tsc, CLIENT, "--noEmit", "false", "--emitDeclarationOnly", "--outDir", tmp_path / "types"]
    assert subprocess.run(emit, capture_output=True).returncode == 0
    program = """
import { load } from "./types/index.js";
const explainer = await load("model.onnx", { threads: 2, onProgress: (loaded) => loaded + 1 });
const answer = await explainer.explain(new Blob([]), "tabby");
export const probability: number | undefined = answer.probability;
export const heatmap: Float32Array = answer.heatmap;
export const side: number = explainer.card.preprocessing.crop[0];
"""
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck"]
    for text, right in ((program, True), (program.replace('"tabby"', "{}"), False)):
        (tmp_path / "use.mts").write_text(text)
        command = [tsc[0], tmp_path / "use.mts", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode == 0) is right, done.stdout


def test_the_package_has_what_it_needs(tmp_path: Path) -> None:
    done = subprocess.run(["npm", "pack", "--dry-run", "--json"], cwd=CLIENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for file in CLIENT.glob("src/*.js"):
        assert f"src/{file.name}" in done.stdout
    assert "types/index.d.ts" in done.stdout
    assert "node_modules" not in done.stdout
    assert (ROOT / "clients/web/package.json").is_file()
