"""smoothserve triton: what the repository holds, what is refused, what is replaced."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from smoothserve.cli.main import main
from smoothserve.explainers import SmoothDiff, explain
from smoothserve.export import to_onnx


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 5, stride=2), torch.nn.ReLU(), torch.nn.Conv2d(16, 16, 3), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(16, 4),
    ).eval()  # fmt: skip
    path = tmp_path_factory.mktemp("triton") / "net.onnx"
    labels = ["one", "two", "two  and\na half", "\u00e9"]
    to_onnx(explain(net, torch.randn(2, 3, 32, 24), SmoothDiff(samples=4)), path, labels=labels, fast=True)
    return path


def test_the_repository_has_everything(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "repository"
    assert main(["triton", str(model), "-o", str(folder)]) == 0
    (listed,) = json.loads((folder / "smoothserve.json").read_text())["models"]
    assert listed == {
        "network": "net",
        "photo": "net_photo",
        "explain": "net_explain",
        "method": "SmoothDiff",
    }
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"net", "net_photo", "net_explain"}
    assert (folder / "net" / "1" / "model.onnx").read_bytes() == model.read_bytes()
    assert (folder / "net" / "labels.txt").read_text(encoding="utf-8") == "one\ntwo\ntwo and a half\n\u00e9\n"
    assert (folder / "net_explain" / "1" / "card.json").is_file()
    assert not (folder / "net_explain" / "1" / "weights.bin").exists()
    for name in ("net_photo", "net_explain"):
        assert not list((folder / name).rglob("torchserve"))
        assert not list((folder / name).rglob("__pycache__"))
    # Made again it is replaced, with nothing left of the old one or beside it.
    (folder / "old").mkdir()
    assert main(["triton", str(model), "-o", str(folder)]) == 0
    assert not (folder / "old").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["repository"]


def test_the_package_in_it_needs_no_other(model: Path, tmp_path: Path) -> None:
    """It comes before a smoothserve that is installed, and imports neither torch nor onnx."""
    assert main(["triton", str(model), "-o", str(tmp_path / "repository")]) == 0
    version = tmp_path / "repository" / "net_photo" / "1"
    (tmp_path / "triton_python_backend_utils.py").touch()  # comes with the server
    code = (
        f"import sys; sys.path.append({str(version)!r}); import model, smoothserve; "
        "print(model.TritonPythonModel.__name__, smoothserve.__file__); "
        "assert not {'torch', 'onnx'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["PhotoModel", str(version / "smoothserve" / "__init__.py")]


def test_settings(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    flags = ["--batch-size", "8", "--max-batch-delay", "7", "--instances", "2", "--device", "cuda"]
    limits = ["--threads", "3", "--limit", "seconds=5", "--limit", "pixels=1000"]
    assert main(["triton", str(model), "-o", str(folder), *flags, *limits]) == 0
    network, photo, explained = (
        (folder / name / "config.pbtxt").read_text() for name in ("net", "net_photo", "net_explain")
    )
    for config in (network, photo, explained):
        assert "max_batch_size: 8\n" in config
        assert "max_queue_delay_microseconds: 7000 " in config
    assert "kind: KIND_GPU, count: 2" in network
    assert "kind: KIND_GPU, count: 2" in photo
    assert "kind: KIND_CPU, count: 3" in explained, "it only decodes, and does so while networks run"
    assert parameters(network) == {"enable_mem_pattern": "0", "intra_op_thread_count": "3"}
    limited = {"batch": "8", "seconds": "5", "pixels": "1000"}
    assert parameters(photo) == {**limited, "threads": "3"}
    assert parameters(explained) == {**limited, "network": "net"}


def parameters(config: str) -> dict[str, str]:
    return dict(
        re.findall(r'^parameters \{ key: "(\w+)", value: \{ string_value: "(\w+)" \} \}$', config, re.M)
    )


def test_weights_in_a_second_file(model: Path, tmp_path: Path) -> None:
    """As large files have them: they travel with the graph, under the name by which it knows them."""
    weights = "net.onnx.0123456789ab.data"
    large = tmp_path / "net.onnx"
    onnx.save(onnx.load(model), large, save_as_external_data=True, location=weights)
    (tmp_path / "net.onnx.ffffffffffff.data").write_text("of another export")
    assert main(["triton", str(large), "-o", str(tmp_path / "repository")]) == 0
    version = tmp_path / "repository" / "net" / "1"
    assert {path.name for path in version.iterdir()} == {"model.onnx", weights}
    feeds = {"image": np.ones((1, 3, 32, 24), np.float32), "target": np.array([-1])}
    answers = [
        onnxruntime.InferenceSession(path).run(["logits"], feeds) for path in (model, version / "model.onnx")
    ]
    assert np.array_equal(*answers)


def test_names(model: Path, tmp_path: Path) -> None:
    names = ["my cats & dogs.onnx", "caf\u00e9.v2.onnx", "\u732b.onnx"]
    for name in names:
        (tmp_path / name).write_bytes(model.read_bytes())
    folder = tmp_path / "repository"
    assert main(["triton", *(str(tmp_path / name) for name in names), "-o", str(folder)]) == 0
    networks = [entry["network"] for entry in json.loads((folder / "smoothserve.json").read_text())["models"]]
    assert networks == ["my-cats-dogs", "caf-.v2", "model"]
    assert all((folder / name / "config.pbtxt").is_file() for name in networks)


def test_what_is_refused(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.pbtxt").touch()
    (tmp_path / "mine" / "smoothserve.json").write_text("[]")
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "net.onnx").write_bytes(model.read_bytes())
    (tmp_path / "net_photo.onnx").write_bytes(model.read_bytes())
    (tmp_path / "text.onnx").write_text("no model")
    monkeypatch.chdir(tmp_path)
    assert main(["triton", str(model), "-o", "good"]) == 0
    capsys.readouterr()
    for arguments, words in (
        ([str(model), "-o", "mine"], "'smoothserve triton' did not make"),
        ([str(model), "-o", "text.onnx"], "is no folder"),
        (["none.onnx"], "none.onnx does not exist"),
        (["text.onnx", "-o", "good"], "not an ONNX file"),
        ([str(model), "net/net.onnx"], "a model named 'net'; rename one of them"),
        ([str(model), "net_photo.onnx"], "a model named 'net_photo'; rename one of them"),
        ([str(model), "--limit", "batch=5"], "expected at most the batch size, 4"),
    ):
        assert main(["triton", *arguments]) == 1
        assert words in capsys.readouterr().err, words
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"config.pbtxt", "smoothserve.json"}
    assert (tmp_path / "good" / "net" / "1" / "model.onnx").read_bytes() == model.read_bytes()
    assert not (tmp_path / "repository").exists()
    assert not list(tmp_path.glob(".*"))
