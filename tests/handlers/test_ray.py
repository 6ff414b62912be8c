"""What Ray's server does without Ray: bodies as fields, URLs, keys, settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from smoothserve.handlers.errors import CardError, RequestError
from smoothserve.handlers.ray.forms import fields
from smoothserve.handlers.ray.keys import check_needed, is_known, is_loopback, read_keys
from smoothserve.handlers.ray.routes import Route, find
from smoothserve.handlers.ray.settings import Kind, Settings

PHOTO = bytes(range(256)) + b"\r\n--edg\r\n\r\n"
FORM = 'multipart/form-data; charset=utf-8; boundary="edge"'


def form(*parts: tuple[bytes, bytes]) -> bytes:
    texts = (b"--edge\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % part for part in parts)
    return b"".join(texts) + b"--edge--\r\n"


@pytest.mark.parametrize(
    ("body", "kind", "wanted"),
    [
        (PHOTO, "", {"body": PHOTO}),
        (PHOTO, "image/jpeg", {"body": PHOTO}),
        (b'{"a": [1]}', "application/json; charset=utf-8", {"body": {"a": [1]}}),
        (form((b'name="data"; filename="a b.jpg"', PHOTO)), FORM, {"data": PHOTO}),
        (form((b'filename="name=x"; name="data"', PHOTO), (b'name="target"', b"3")), FORM,
         {"data": PHOTO, "target": b"3"}),
        (form((b'name="data"', b"")), FORM, {"data": b""}),
        (b"target=Egyptian+cat&top_k=", "application/x-www-form-urlencoded",
         {"target": "Egyptian cat", "top_k": ""}),
        (PHOTO, "application/x-www-form-urlencoded", {"body": PHOTO}),
    ],
)  # fmt: skip
def test_bodies(body: bytes, kind: str, wanted: dict[str, Any]) -> None:
    assert fields(body, kind) == wanted


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"{", "application/json", "no JSON"),
        (b'{"a":' * 100_000, "application/json", "no JSON"),
        (b"--edge--", "multipart/form-data", "names no boundary"),
        (b"", FORM, "no form"),
        (b"photo", FORM, "no form"),
        (form((b'name="data"', PHOTO))[:-8], FORM, "no form"),  # cut off
        (form((b"filename=x", PHOTO)), FORM, "no name"),
        (form(*[(b'name="a"', b"")] * 65), FORM, "at most 64"),
        (b"a=1" + b"&a=1" * 64, "application/x-www-form-urlencoded", "at most 64"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bodies_that_are_none(body: bytes, kind: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        fields(body, kind)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/predictions/cats", Route("predictions", "cats")),
        ("/explanations/cats/", Route("explanations", "cats")),
        ("/explanations/cats/1.0", Route("explanations", "cats", "1.0")),
        ("/explanations/cats/1.0/target=a%2Fb/size=9",
         Route("explanations", "cats", "1.0", "target=a%2Fb/size=9")),
        ("/predictions/c%20s", Route("predictions", "c s")),
        ("/v1/models/cats:explain", Route("explanations", "cats", is_json=True)),
        ("/v2/models/cats/infer", Route("predictions", "cats", is_json=True)),
        ("/v2/models/cats", None),
        ("/predictions", None),
        ("/predictions//", None),
        ("/", None),
    ],
)  # fmt: skip
def test_urls(path: str, wanted: Route | None) -> None:
    assert find(path) == wanted


def test_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    one, two = "a" * 16, "Zm9vYmFyYmF6cXV4cXV1eA=="
    file.write_text(f"# first\n{one}\n\n  {two}\n")
    assert read_keys(file) == [one, two]
    assert is_known(f"Bearer {two}", [one, two])
    assert not any(is_known(text, [one, two]) for text in ("", "Bearer ", one, f"Bearer {one}a", "Bearer ä"))
    for text, words in (("short\n", "line 1"), (f"{one}\n{one} {two}\n", "line 2"), ("\n# none\n", "no key")):
        file.write_text(text)
        with pytest.raises(CardError, match=words) as caught:
            read_keys(file)
        assert one not in str(caught.value)


def test_keys_are_needed_behind_haproxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    check_needed(None)
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "1")
    check_needed(tmp_path / "keys")
    with pytest.raises(CardError, match="every client seems to be on this machine, so keys are needed"):
        check_needed(None)


def test_which_addresses_are_this_machine_alone() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.0.1", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "example.org", "")))


@pytest.mark.parametrize(
    "wrong",
    [
        {"models": []},
        {"models": ["a.onnx"], "model": 1},
        {"models": ["a.onnx"], "predictions": {"replicas": 2}},
        {"models": ["a.onnx"], "explanations": {"min_replicas": 3, "max_replicas": 2}},
        {"models": ["a.onnx"], "predictions": {"num_cpus": -1}},
        {"models": ["a.onnx"], "explanations": {"device": "tpu"}},
        {"models": ["a.onnx"], "explanations": {"device": "cuda:1"}},
    ],
)
def test_settings_that_are_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(wrong)


def test_threads_are_the_cores() -> None:
    kinds = {"predictions": {"num_cpus": 0.4}, "explanations": {"num_cpus": 3, "num_gpus": 0.5}}
    settings = Settings.model_validate({"models": ["a.onnx"], **kinds})
    predictions, explanations = (k.of_model({}) for k in (settings.predictions, settings.explanations))
    assert (predictions.threads, predictions.device) == (1, "cpu")
    assert (explanations.threads, explanations.device) == (3, "cuda")
    assert Kind(num_gpus=1, device="cuda+graphs").of_model({}).device == "cuda+graphs"
