"""smoothserve web: what the folder holds, what is refused, where ONNX Runtime comes from, the server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from smoothserve.cli.main import main
from smoothserve.cli.web.runtime import FILES, wanted
from smoothserve.explainers import SmoothDiff, explain
from smoothserve.export import to_onnx, weight_files

from tests.handlers.tiny import unpack


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 64, 5, stride=2), torch.nn.ReLU(), torch.nn.Conv2d(64, 64, 3), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(64, 40),
    ).eval()  # fmt: skip
    path = tmp_path_factory.mktemp("web") / "net.onnx"
    to_onnx(explain(net, torch.randn(2, 3, 32, 32), SmoothDiff(samples=4)), path, fast=True)
    return path


@pytest.fixture
def ort(tmp_path: Path) -> Path:
    """Files of the runtime's names."""
    folder = tmp_path / "onnxruntime-web"
    (folder / "dist").mkdir(parents=True)
    for name in FILES:
        (folder / "dist" / name).write_text(name)
    (folder / "package.json").write_text(json.dumps({"version": wanted()["version"]}))
    return folder


def test_the_folder_has_everything(model: Path, ort: Path, tmp_path: Path) -> None:
    site = tmp_path / "deep" / "site"
    assert main(["web", str(model), str(model), "-o", str(site), "--ort", str(ort)]) == 0
    listed = json.loads((site / "models.json").read_text())
    assert [entry["file"] for entry in listed["models"]] == ["models/net.onnx", "models/net-2.onnx"]
    for entry in listed["models"]:
        assert (site / entry["file"]).read_bytes() == model.read_bytes()
        assert entry["method"] == "SmoothDiff"
        assert entry["bytes"] == model.stat().st_size
    page = (site / "index.html").read_text()
    scripts = [file for file in site.rglob("*.js") if file.parent.name != "ort"]
    named = set(re.findall(r'(?:href|src)="([^":]+)"', page))
    for script in scripts:
        found = re.findall(r'(?:from|import\() ?"(\.[^"]+)"', script.read_text())
        named |= {os.path.relpath(script.parent / path, site) for path in found}
    named |= {*listed["photos"], *(f"ort/{name}" for name in FILES)}
    assert named >= {"page.css", "page.js", "smoothserve/remote.js", "ort/ort.wasm.min.mjs"}
    assert [name for name in named if not (site / name).is_file()] == []
    # Made again it is replaced, with nothing left of the old one or beside it.
    (site / "old").touch()
    assert main(["web", str(model), "-o", str(site), "--ort", str(ort / "dist")]) == 0
    assert not (site / "old").exists()
    assert not (site / "models" / "net-2.onnx").exists()
    assert [path.name for path in site.parent.iterdir()] == ["site"]


@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_smaller_weights(
    weights: str, model: Path, ort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site"
    command = ["web", str(model), "-o", str(site), "--ort", str(ort), "--weights", weights]
    assert main(command) == 0
    (entry,) = json.loads((site / "models.json").read_text())["models"]
    small = site / entry["file"]
    assert entry["weights"] == weights
    assert entry["bytes"] == small.stat().st_size < model.stat().st_size
    assert entry["difference"] in capsys.readouterr().err
    onnx.checker.check_model(small)
    images = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32)
    feeds = {"image": images, "target": np.array([3, 7])}
    wide, narrow = (onnxruntime.InferenceSession(path).run(None, feeds) for path in (model, small))
    for got, full in zip(narrow, wide, strict=True):
        apart = np.linalg.norm(got - full) / np.linalg.norm(full)
        assert apart < (0.02 if weights == "float16" else 0.2)
    assert not np.array_equal(narrow[0], wide[0])


def test_what_is_refused(
    model: Path,
    ort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    (tmp_path / "mine" / "models.json").write_text('{"models": ["of another program"]}')
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "huge.onnx").write_bytes(model.read_bytes())
    (tmp_path / "huge.onnx.0123456789ab.data").touch()
    (tmp_path / "text.onnx").write_text("no model")
    monkeypatch.chdir(tmp_path)
    given = ["--ort", str(ort)]
    for arguments, words in (
        ([str(model), "-o", "mine", *given], "'smoothserve web' did not make"),
        ([str(model), "-o", "file", *given], "is no folder"),
        ([str(model), "-o", "file/site", *given], "file/site cannot be made: "),
        ([str(model), "--serve", "99999", *given], "expected a port from 0 (any that is free) to 65535"),
        (["none.onnx", *given], "none.onnx does not exist"),
        (["huge.onnx", *given], "larger than a browser can load"),
        (["text.onnx", *given], "not an ONNX file"),
        ([str(model), "--ort", "empty"], "npm install onnxruntime-web@"),
    ):
        assert main(["web", *arguments]) == 1
        assert words in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"thesis.tex", "models.json"}
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("npm", "words"),
    [
        (None, "npm is not installed"),
        ("echo 'no network' >&2; exit 1", "could not fetch"),
        ("touch onnxruntime-web.tgz", "its digest is sha512-"),
    ],
)
def test_npm(
    npm: str | None,
    words: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if npm else str(tmp_path))
    if npm:
        (tmp_path / "npm").write_text(f"#!/bin/sh\n{npm}\n")
        (tmp_path / "npm").chmod(0o755)
    assert main(["web", str(model), "-o", str(tmp_path / "site")]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert npm is None or "--ort" in said or "registry" in said
    assert not (tmp_path / "site").exists()


def _heeding_interrupts() -> None:
    """A shell's background jobs ignore them, and so do their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_server(model: Path, ort: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "smoothserve.cli.main",
        "web",
        str(model),
        "--ort",
        str(ort),
        "--serve",
        "0",
    ]
    server = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=_heeding_interrupts
    )
    try:
        assert server.stderr is not None
        address = next(
            found[0] for line in server.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+", line))
        )
        for path, kind in (
            ("", "text/html"),
            ("page.js", "text/javascript"),
            (f"ort/{FILES[2]}", "application/wasm"),
        ):
            with urllib.request.urlopen(f"{address}/{path}", timeout=10) as answer:
                assert answer.headers["Content-Type"].startswith(kind)
                assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
                assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 130
    finally:
        server.kill()
        server.communicate()


def test_weights_come_inside(ort: Path, tmp_path: Path) -> None:
    """A browser knows no file beside the model's, such as archives have."""
    model = unpack(tmp_path / "packed") / "explanation-smoothdiff.onnx"
    assert weight_files(model)
    assert main(["web", str(model), "-o", str(tmp_path / "site"), "--ort", str(ort)]) == 0
    (whole,) = (tmp_path / "site" / "models").iterdir()
    asked = {"image": np.random.default_rng(0).random((1, 3, 16, 16), np.float32), "target": np.array([1])}
    both = [onnxruntime.InferenceSession(path).run(None, asked) for path in (model, whole)]
    for one, other in zip(*both, strict=True):
        assert np.array_equal(one, other)
