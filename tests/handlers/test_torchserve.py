"""The adapter to TorchServe without a server: each answer stands in the place of its request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
import yaml
from smoothserve.handlers.errors import CardError
from smoothserve.handlers.records.recorder import VARIABLE
from smoothserve.handlers.torchserve.handler import SmoothserveHandler
from smoothserve.handlers.torchserve.metrics import Reporter
from smoothserve.handlers.torchserve.registration import SPLIT

from tests.handlers.tiny import TENSOR, TEXT, photo, unpack

Row = tuple[Any, dict[str, str]]  # what the handler gets of a request: fields or body, and headers


class Context:
    """TorchServe's, as far as the handler asks it, with headers for each request of a batch."""

    def __init__(self, folder: Path) -> None:
        self.system_properties = {"model_dir": str(folder)}
        self.model_name = "tiny"
        self.model_yaml_config = yaml.safe_load((folder / "model-config.yaml").read_text())
        self.manifest = json.loads((folder / "MAR-INF/MANIFEST.json").read_text())
        self.metrics = None
        self.headers: list[dict[str, str]] = []
        self.statuses: dict[int, int] = {}
        self.answered: dict[int, dict[str, str]] = {}

    def get_all_request_header(self, index: int) -> dict[str, str]:
        return self.headers[index]

    def get_request_header(self, index: int, name: str) -> str | None:
        return self.headers[index].get(name)

    def set_response_content_type(self, index: int, value: str) -> None:
        self.set_response_header(index, "Content-Type", value)

    def set_response_header(self, index: int, name: str, value: str) -> None:
        self.answered.setdefault(index, {})[name] = value

    def set_response_status(self, code: int, phrase: str, index: int) -> None:
        self.statuses[index] = code


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(unpack(tmp_path))


def ask(context: Context, rows: list[Row], close: bool = False) -> list[dict[str, Any]]:
    """The bodies of a batch's answers; ``context`` has their headers and statuses.

    Args:
        close: end the chain of records, as the end of Python does.
    """
    handler = SmoothserveHandler()
    handler.initialize(context)
    handler.reporter = create_autospec(Reporter, instance=True)
    context.headers = [headers for _, headers in rows]
    answers = [json.loads(body) for body in handler.handle([row for row, _ in rows], context)]
    if close:
        assert handler.service is not None
        assert handler.service.recorder is not None
        handler.service.recorder.close()
    return answers


EXPLAIN, PREDICT = {"explain": "True"}, {"explain": "False"}
BATCH: list[Row] = [
    ({"body": photo()}, {**EXPLAIN, "url_path": "target=2/top_k=1"}),
    ({"body": {"instances": [TEXT, TEXT]}}, PREDICT),
    ({"body": {"instances": [TEXT], "parameters": {"target": 3}}}, EXPLAIN),
    ({"body": b"garbage"}, PREDICT),
    ({"body": {"inputs": [TENSOR], "id": "a"}}, PREDICT),
    ({"body": {"inputs": [TENSOR], "id": "b"}}, EXPLAIN),
    ({"data": photo(), "top_k": b"2"}, PREDICT),
]


def test_one_registration_answers_everything(context: Context) -> None:
    answers = ask(context, BATCH)
    assert context.statuses == {3: 400}
    assert (answers[0]["class"], len(answers[0]["predictions"])) == (2, 1)
    assert len(answers[1]["predictions"]) == 2
    assert [entry["class"] for entry in answers[2]["explanations"]] == [3]
    assert (answers[4]["id"], answers[5]["id"]) == ("a", "b")
    assert [len(answers[place]["outputs"]) for place in (4, 5)] == [3, 4]
    assert len(answers[6]["predictions"]) == 2


def test_explanations_are_recorded(context: Context, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the archive says, or the environment, whose word counts; predictions are not."""
    archives, environment = tmp_path / "archive's", tmp_path / "environment's"
    context.model_yaml_config["smoothserve"]["records"] = str(archives)
    for folder in (archives, environment):
        ask(context, BATCH, close=True)
        (path,) = folder.iterdir()
        records = [json.loads(line) for line in path.read_text().splitlines()][1:-1]
        assert [record["options"].get("target") for record in records] == [2, 3, None]
        assert {record["name"] for record in records} == {"tiny"}
        monkeypatch.setenv(VARIABLE, str(environment))
    monkeypatch.setenv(SPLIT, "1")
    ask(context, BATCH, close=True)  # the registration for predictions
    assert len([*environment.iterdir(), *archives.iterdir()]) == 2
    monkeypatch.setenv(VARIABLE, str(Path(__file__) / "folder"))
    with pytest.raises(CardError, match="Records cannot be written"):
        ask(context, BATCH)


def test_of_two_registrations_one_says_where_the_other_is(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each protocol's own path; what stands between the redirects is answered as if they were not there."""
    monkeypatch.setenv(SPLIT, "1")
    answers = ask(context, BATCH)
    assert context.statuses == {0: 307, 2: 307, 3: 400, 5: 307}
    assert {place: headers.get("Location") for place, headers in context.answered.items()} == {
        0: "/explanations/tiny-explain/1.0/target=2/top_k=1",
        1: None,
        2: "/v1/models/tiny-explain:explain",
        3: None,
        4: None,
        5: "/v2/models/tiny-explain/explain",
        6: None,
    }
    assert "/v1/models/tiny-explain:explain" in answers[2]["error"]["message"]
    assert len(answers[1]["predictions"]) == 2
    assert answers[4]["id"] == "a"
    assert len(answers[6]["predictions"]) == 2
