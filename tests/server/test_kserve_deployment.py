"""deploy/kserve: the YAML is what KServe's own models take, and the container's command serves."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import needs_kserve
from tests.server.kserve import COMMAND, PACKED, PYTHON, KServe
from tests.server.torchserve import ROOT

FOLDER = ROOT / "deploy/kserve"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
# KServe's models have Kubernetes' inside. What a model does not know is left out, so the caller compares.
UNDERSTOOD = """
import json, sys
import kserve.models, kubernetes.client

def understood(given, kind):
    if kind.startswith("list["):
        return [understood(each, kind[5:-1]) for each in given]
    if model := getattr(kserve.models, kind, None):
        known = {name: attribute for attribute, name in model.attribute_map.items() if name in given}
        values = {a: understood(given[name], model.openapi_types[a]) for name, a in known.items()}
        model(**values)  # raises where one is missing or of a wrong kind
        return {name: values[attribute] for name, attribute in known.items()}
    if model := getattr(kubernetes.client, kind, None):
        return model.from_dict(given).model_dump(by_alias=True, exclude_none=True)
    return given

print(json.dumps(understood(json.load(sys.stdin), "V1beta1InferenceService")))
"""


def given() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / "inferenceservice.yaml").read_text())
    return content


def container(service: dict[str, Any]) -> dict[str, Any]:
    (found,) = service["spec"]["predictor"]["containers"]
    assert isinstance(found, dict)
    return found


def understood(service: dict[str, Any]) -> dict[str, Any]:
    """As KServe's own Python models have it."""
    needs_kserve()
    done = subprocess.run(
        [PYTHON, "-c", UNDERSTOOD], input=json.dumps(service), capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_kserves_models_take_all_of_it() -> None:
    service = given()
    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert understood(service) == service


@pytest.mark.parametrize("name", ["readinessProbe", "args", "env"])
def test_a_mistake_would_be_noticed(name: str) -> None:
    service = given()
    container(service)[f"{name}s"] = container(service).pop(name)
    assert understood(service) != service
    service = given()
    service["spec"]["predictors"] = service["spec"].pop("predictor")
    with pytest.raises(AssertionError, match="predictor"):
        understood(service)


def test_the_containers_command_serves(tmp_path: Path) -> None:
    """The image's entry point with the YAML's arguments, on an archive of that name; but on loopback."""
    needs_kserve()
    service = container(given())
    (entry,) = map(json.loads, re.findall(r"^ENTRYPOINT (.*)$", DOCKERFILE, flags=re.M))
    assert entry[1:] == list(COMMAND[1:])
    arguments = dict(zip(service["args"][1::2], service["args"][2::2], strict=True))
    assert arguments["--host"] == "0.0.0.0"
    ports = {port["containerPort"] for port in service["ports"]}
    assert ports <= {int(arguments[name]) for name in ("--port", "--grpc-port")}
    model = tmp_path / Path(service["args"][0]).relative_to("/mnt/models")
    shutil.copy(PACKED, model)
    with KServe(tmp_path, [str(model)], ["--threads", arguments["--threads"]]) as server:
        for probe in ("readinessProbe", "livenessProbe"):
            assert server.get(service[probe]["httpGet"]["path"])[0] == 200


def test_the_image_holds_what_the_server_needs() -> None:
    """What is copied is there, and what is installed is what tests run with."""
    for source in re.findall(r"^COPY (\S+) ", DOCKERFILE, flags=re.M):
        assert (ROOT / source).exists(), source
    assert "-r /tmp/requirements.txt" in DOCKERFILE
    assert "deploy/kserve/requirements.txt" in (ROOT / "scripts/kserve.sh").read_text()


@pytest.mark.parametrize("package", ["kserve", "onnxruntime", "numpy", "pillow"])
def test_versions_are_those_of_the_package(package: str) -> None:
    """Stated twice, in pyproject.toml for pip and in the file for the container."""
    (wanted,) = re.findall(rf"^({package}\S+)$", (FOLDER / "requirements.txt").read_text(), flags=re.M)
    assert f'"{wanted}"' in (ROOT / "pyproject.toml").read_text()


def test_no_pytorch_is_needed() -> None:
    needs_kserve()
    done = subprocess.run([PYTHON, "-I", "-m", "pip", "list"], capture_output=True, text=True, check=True)
    names = {line.split()[0] for line in done.stdout.splitlines()}
    assert {"kserve", "onnxruntime"} <= names
    assert not names & {"torch", "onnx", "smoothserve"}
