"""--baseline: photos and arrays."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from smoothserve.cli.main import main


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
