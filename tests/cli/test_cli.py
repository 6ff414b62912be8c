"""The command: real runs, exit codes, one-line errors."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import safetensors.torch
import torch
from PIL import Image
from smoothserve.cli.main import main

ROOT = Path(__file__).parents[2]
FACTORY = """
import torch
class Tiny(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.head = torch.nn.Linear(4, 3)
    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))
def build():
    torch.manual_seed(0)
    return Tiny().train()
class Pair(Tiny):
    def forward(self, x):
        return x, super().forward(x)
def pair():
    return Pair()
def number():
    return 7
def broken():
    raise ValueError("the factory failed")
"""


@pytest.fixture
def factory(tmp_path: Path) -> str:
    (tmp_path / "nets.py").write_text(FACTORY)
    return str(tmp_path / "nets.py") + ":build"


def test_explain_needs_nothing_but_the_file(
    lite0_onnx: Path, photos: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [str(tmp_path / name) for name in ("deep/overlay.png", "heat.png", "heat.npy")]
    arguments = [
        "explain",
        str(lite0_onnx),
        str(photos["coffee"]),
        "-o",
        out[0],
        "--heatmap",
        out[1],
        "--array",
        out[2],
    ]
    assert main(arguments) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("*")
    assert first.endswith("espresso")
    assert Image.open(out[0]).size == (224, 224)
    heat = np.load(out[2])
    assert (heat.dtype, heat.shape) == (np.float32, (224, 224))
    assert np.abs(np.asarray(Image.open(out[1])) / 255 - heat).max() < 0.01
    assert (
        main(["explain", str(lite0_onnx), str(photos["coffee"]), "--target", "cup", "--json", "--top", "1"])
        == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert answer["explained"]["class"] == 968
    assert [entry["class"] for entry in answer["predictions"]] == [967]


def test_verify_prints_what_holds(lite0_onnx: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(lite0_onnx)]) == 0
    text = capsys.readouterr().out
    assert text.count("ok  ") == 7
    assert "SmoothDiff samples=4" in text


def test_a_model_of_ones_own(factory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"1": "b", "0": ["n01", "a"], "2": "c"}))
    path = tmp_path / "m.onnx"
    arguments = [
        "export",
        factory,
        "-o",
        str(path),
        "--size",
        "24",
        "--method",
        "SmoothGrad",
        "--samples",
        "2",
        "--noise",
        "0.1",
    ]
    assert main([*arguments, "--labels", str(labels), "--mean", "0,0,0", "--std", "1,1,1"]) == 0
    assert capsys.readouterr().out.strip() == str(path)
    assert main(["verify", str(path)]) == 0
    text = capsys.readouterr().out
    assert "SmoothGrad samples=2, std=0.1, seed=0, antithetic=False" in text
    assert "[3, 24, 24], 3 classes" in text


def test_baselines_from_files(factory: str, tmp_path: Path) -> None:
    """Integrated gradients of the baseline itself are zero; photos and preprocessed arrays mean the same."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "start.png")
    values = (pixels.astype(np.float32) / 255).transpose(2, 0, 1)
    np.save(tmp_path / "start.npy", values)
    options = ["--size", "24", "--mean", "0,0,0", "--std", "1,1,1", "--resize", "24"]
    results = []
    for name in ("start.png", "start.npy"):
        path = tmp_path / f"{name}.onnx"
        given = ["--method", "IntegratedGradients", "--steps", "20", "--baseline", str(tmp_path / name)]
        assert main(["export", factory, "-o", str(path), *options, *given]) == 0
        session = onnxruntime.InferenceSession(str(path))
        images = np.stack([values, 0.1 * values])
        outputs = ["logits", "explained_class", "attribution"]
        logits, chosen, attribution = session.run(outputs, {"image": images, "target": np.array([-1, -1])})
        assert float(np.abs(attribution[0]).max()) == 0
        difference = float(logits[1, chosen[1]] - logits[0, chosen[1]])
        assert abs(float(attribution[1].sum()) - difference) < 0.02 * abs(difference)  # of the quadrature
        results.append(attribution)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("none.png", "is no file and no number"),
        ("text.npy", "cannot be read"),
        ("flat.npy", "expected preprocessed"),
    ],
)
def test_baselines_that_cannot_be_used(
    value: str,
    words: str,
    factory: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.npy").write_text("hello")
    np.save("flat.npy", np.zeros(5))
    arguments = ["export", factory, "-o", "m.onnx", "--method", "IntegratedGradients", "--baseline", value]
    with contextlib.suppress(SystemExit):  # argparse's way to refuse
        assert main(arguments) == 1
    assert words in capsys.readouterr().err


def test_non_square_input(factory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "m.onnx"
    assert main(["export", factory, "-o", str(path), "--size", "20x28"]) == 0
    assert main(["verify", str(path)]) == 0
    assert "[3, 20, 28]" in capsys.readouterr().out


def test_weights_files(factory: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = {
        "conv.weight": torch.randn(4, 3, 3, 3),
        "conv.bias": torch.randn(4),
        "head.weight": torch.randn(3, 4),
        "head.bias": torch.randn(3),
    }
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "w.pth")
    outputs = []
    for file in ("w.safetensors", "w.pth"):
        path = tmp_path / f"{file}.onnx"
        assert (
            main(
                [
                    "export",
                    factory,
                    "-o",
                    str(path),
                    "--size",
                    "24",
                    "--weights",
                    str(tmp_path / file),
                    "--method",
                    "gradient",
                ]
            )
            == 0
        )
        outputs.append(path.read_bytes())
    assert outputs[0] == outputs[1]


def test_a_model_with_several_outputs(factory: str, tmp_path: Path) -> None:
    arguments = ["export", factory.replace(":build", ":pair"), "-o", str(tmp_path / "m.onnx"), "--size", "24"]
    assert main(arguments) == 1
    assert main([*arguments, "--logits", "1"]) == 0


class Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch exploited",)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export", "resnet18", "-o", "m.onnx"], "torchvision:NAME"),
        (["export", "torchvision:resnet81", "-o", "m.onnx"], "resnet50"),
        (["export", "nowhere.py:build", "-o", "m.onnx"], "nowhere.py does not exist"),
        (["export", "nets.py:missing", "-o", "m.onnx"], "no function 'missing'"),
        (["export", "nets.py:number", "-o", "m.onnx"], "expected a torch.nn.Module"),
        (["export", "nets.py:broken", "-o", "m.onnx"], "ValueError: the factory failed"),
        (["export", "nets.py:build", "-o", "m.onnx", "--weights", "none.pth"], "none.pth does not exist"),
        (["export", "nets.py:build", "-o", "m.onnx", "--weights", "evil.pth"], "without running code"),
        (["export", "nets.py:build", "-o", "m.onnx", "--weights", "text.pth"], "no readable weights file"),
        (["export", "nets.py:build", "-o", "m.onnx", "--weights", "text.safetensors"], "no valid safetensors"),
        (["export", "nets.py:build", "-o", "m.onnx", "--weights", "other.pth"], "does not fit the model"),
        (["export", "nets.py:build", "-o", "m.onnx", "--samples", "3"], "even number"),
        (["export", "nets.py:build", "-o", "m.onnx", "--method", "gradient", "--noise", "1"], "no parameter --noise"),
        (["export", "nets.py:build", "-o", "m.onnx", "--size", "24", "--labels", "text.pth"], "1 labels for 3 classes"),
        (["archive", "text.onnx", "name", "--samples", "4"], "exported already"),
        (["archive", "text.onnx", "bad/name"], "letters, digits"),
        (["export", "nets.py:build", "-o", "m.onnx", "--channels", "L"], "shape [1, 1, 224, 224]"),
        (["explain", "none.onnx", "photo.png"], "cannot be read"),
        (["explain", "text.pth", "text.pth"], "cannot be loaded"),
        (["verify", "text.pth"], "refuses"),
        (["archive", "none.onnx", "name"], "does not exist"),
    ],
)  # fmt: skip
def test_mistakes_get_one_line(
    arguments: list[str],
    words: str,
    factory: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(Exploit(), "evil.pth")
    torch.save({"x": torch.zeros(1)}, "other.pth")
    Path("text.pth").write_text("hello")
    Path("text.safetensors").write_text("hello")
    Path("text.onnx").write_text("hello")
    assert main(arguments) == 1
    message = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert len(message) == 1
    assert message[0].startswith("smoothserve: error: ")
    assert words in message[0]
    assert not Path("m.onnx").exists()
    assert not Path("exploited").exists()


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "smoothserve.cli.main", "verify", str(tmp_path / "none.onnx")]
    plain, debug = (
        subprocess.run([*command, *more], capture_output=True, text=True) for more in ([], ["--debug"])
    )
    assert (plain.returncode, debug.returncode) == (1, 1)
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr


@pytest.mark.parametrize("command", ["export", "explain", "archive", "verify"])
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"  smoothserve {command} " in capsys.readouterr().out


def test_archive_script(lite0_onnx: Path) -> None:
    """The pipeline's entry: an archive in model_store/, or a reason and a non-zero status."""
    name = f"test-{os.getpid()}"
    target = ROOT / "model_store" / f"{name}.mar"
    try:
        done = subprocess.run([ROOT / "scripts/archive.sh", lite0_onnx, name], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert Path(done.stdout.strip()) == target
        assert target.is_file()
        failed = subprocess.run(
            [ROOT / "scripts/archive.sh", "torchvision:nothing", name], capture_output=True, text=True
        )
        assert failed.returncode == 1
        assert "nothing" in failed.stderr
    finally:
        target.unlink(missing_ok=True)
