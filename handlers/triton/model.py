"""The adapter to Triton: requests of its Python backend in, one response for each out."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils  # comes with the server
from smoothserve.handlers import selfcheck
from smoothserve.handlers.answer import Result, status_and_reason
from smoothserve.handlers.card import Card
from smoothserve.handlers.contents import PREDICTION, explanation_file
from smoothserve.handlers.devices import Device
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.records.recorder import folder_of, open_recorder
from smoothserve.handlers.service import ExplanationService, all_good, check_pictures
from smoothserve.handlers.triton.network import ServedNetwork
from smoothserve.handlers.triton.tensors import PHOTO, Asked, read, write

log = logging.getLogger(__name__)


class PhotoModel:
    """Answers about encoded photos.

    ``config.pbtxt`` says where the network runs. With the parameter ``network`` another model of the same
    server runs it, which batches what several instances ask; else this process does, with the graphs beside
    the model's file. All else is the same.
    """

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load what is needed; what runs in this process must also answer as when it was packed.

        Raises:
            CardError: it doesn't, or the settings are wrong; the model is not served then.
        """
        config = json.loads(args["model_config"])
        settings = {name: value["string_value"] for name, value in config["parameters"].items()}
        folder = Path(args["model_repository"], args["model_version"])
        on_gpu = args["model_instance_kind"] == "GPU"
        device = Device("cuda").at(args["model_instance_device_id"]) if on_gpu else Device("cpu")
        self.service = _service(folder, settings, device, args["model_name"])
        self._keep_records(settings, args["model_name"])

    def finalize(self) -> None:
        """Triton unloads the model."""
        if self.service.recorder is not None:
            self.service.recorder.close()

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer a batch. A bad request spoils only its own answer."""
        asked = [self._read(request) for request in requests]
        questions = [question for one in asked if isinstance(one, Asked) for question in one.questions]
        results = iter(self.service.run(questions))
        responses = []
        for one in asked:
            if isinstance(one, Asked):
                responses.append(self._answer(one, [next(results) for _ in one.questions]))
            else:
                responses.append(_refusal(one))
        return responses

    def _read(self, request: Any) -> Asked | Exception:
        try:
            photos = pb_utils.get_input_tensor_by_name(request, PHOTO).as_numpy()
            options = json.loads(request.parameters() or "{}")
            return read(
                photos.ravel().tolist(), options, request.requested_output_names(), self.service.offer
            )
        except Exception as error:
            return error

    def _keep_records(self, settings: Mapping[str, str], name: str) -> None:
        """Where the settings or the environment say so, and this process knows the model's file."""
        folder = folder_of(settings.get("records"))
        if folder is not None and "network" in settings:
            log.warning("%s keeps no records: another model runs its network", name)
        elif folder is not None:
            self.service.recorder = open_recorder(folder, name, self.service.graphs)

    def _answer(self, asked: Asked, results: Sequence[Result | Exception]) -> Any:
        try:
            good = all_good(results)
            check_pictures(asked.questions, good, self.service.offer.limits)
            tensors = [pb_utils.Tensor(name, value) for name, value in write(asked, good).items()]
            if self.service.recorder is not None:
                self.service.recorder.take(asked.questions, good)
            return pb_utils.InferenceResponse(tensors)
        except Exception as error:
            return _refusal(error)


def _service(folder: Path, settings: Mapping[str, str], device: Device, name: str) -> ExplanationService:
    known = {field.name for field in fields(Limits)}
    limits = Limits(**{key: json.loads(value) for key, value in settings.items() if key in known})
    if network := settings.get("network"):
        card = Card.from_json((folder / "card.json").read_text(encoding="utf-8"))
        return ExplanationService([ServedNetwork(network, card)], limits=limits, name=name)
    threads = int(settings["threads"]) if "threads" in settings else None
    service = ExplanationService(
        sorted(folder.glob(explanation_file("*"))),
        folder / PREDICTION,
        threads=threads,
        device=device,
        limits=limits,
        name=name,
    )
    selfcheck.check(service, folder / selfcheck.FILE)
    selfcheck.warm_up(service)
    return service


def _refusal(error: Exception) -> Any:
    """Triton has fewer kinds of errors than HTTP has statuses."""
    status, reason = status_and_reason(error)
    if not isinstance(error, RequestError):
        log.error("a request failed", exc_info=error)
    kind = pb_utils.TritonError.INVALID_ARG if status < 500 else pb_utils.TritonError.INTERNAL
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(reason, kind))
