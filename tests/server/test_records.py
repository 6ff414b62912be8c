"""Servers that keep records: written beside the answers, closed when the server ends, computed again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from smoothserve.cli.main import main
from smoothserve.export import to_archive
from smoothserve.handlers.records.chain import check

from tests.conftest import needs_kserve
from tests.handlers.tiny import unpack
from tests.server.kserve import PACKED, KServe, instances
from tests.server.torchserve import TorchServe

SERVE = (sys.executable, "-m", "smoothserve.cli.main", "serve", "--engine", "kserve")


@pytest.mark.slow
def test_kserve(red: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two models write side by side; what one environment explained is computed again in another."""
    needs_kserve()
    records, photo = tmp_path / "records", tmp_path / "red.png"
    photo.write_bytes(red)
    models = ["small=" + str(PACKED), "other=" + str(PACKED)]
    with KServe(tmp_path, models, ["--records", str(records)], SERVE) as running:
        for verb in ("explain", "predict", "explain"):
            assert running.post(f"/v1/models/small:{verb}", instances(red))[0] == 200
        assert running.post("/v1/models/other:explain", instances(red))[0] == 200
        assert running.post("/v1/models/other:explain", instances(b"\0"))[0] == 400
        assert running.stop() == 0
    found = sorted((each.path.name.partition("-")[0], each.records) for each in check(records))
    assert found == [("other", 1), ("small", 2)]
    assert [(each.problem, each.notes) for each in check(records)] == [(None, ())] * 2
    (path,) = records.glob("other-*")
    assert json.loads(path.read_text().splitlines()[1])["name"] == "other"
    assert main(["replay", str(records), str(photo), "--model", str(PACKED)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.slow
def test_torchserve(red: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the archive's setting; the server ends its workers as it likes, and every answer has its line."""
    records, photo = tmp_path / "the records", tmp_path / "red.png"
    photo.write_bytes(red)
    graph = unpack(tmp_path / "old") / "explanation-gradient.onnx"
    archive = to_archive(graph, "tiny", store=tmp_path / "store", workers=2, records=records)
    with TorchServe(tmp_path, "tiny") as running:
        for path in ("explanations/tiny-explain", "predictions/tiny", "explanations/tiny-explain"):
            assert running.post(f"/{path}", red)[0] == 200
    found = list(check(records))
    assert sum(each.records for each in found) == 2
    assert {each.problem for each in found} == {None}
    assert main(["replay", str(records), str(photo), "--model", str(archive)]) == 0
    assert capsys.readouterr().out.count("by Gradient") == 2
