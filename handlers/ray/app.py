"""The application that a Serve config file imports: ``import_path: smoothserve.handlers.ray.app:build``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.config import RequestRouterConfig
from smoothserve.handlers import served
from smoothserve.handlers.errors import CardError
from smoothserve.handlers.served import EXPLANATIONS, PREDICTIONS, find, plan

from .ingress import Ingress, Offered
from .keys import check_needed
from .model import Model
from .settings import Kind, Settings

_HEALTH_SECONDS = 5  # between two questions of Ray whether a replica lives
_ONGOING = 16  # at least: beyond what replicas are sent, requests wait for the router to look again
# The router looks again for a replica with room, by itself up to half a second later.
_PROMPT = RequestRouterConfig(initial_backoff_s=0.01, max_backoff_s=0.05)  # type: ignore[arg-type]
_DRAIN = 2  # times the limit `seconds`: what a replica that is to end has for the requests that it took


def build(args: dict[str, Any]) -> Application:
    """The application, from ``args`` of a Serve config file, see :class:`Settings`.

    Raises:
        pydantic.ValidationError: a setting that does not exist, or one of a wrong kind.
        CardError: see :func:`application`.
    """
    return application(Settings.model_validate(args))


def application(settings: Settings) -> Application:
    """The ingress, and for each model a deployment for predictions and one for explanations.

    So neither kind waits for the other, and each has replicas, cores and devices of its own. All models are
    in one application, because they share their URLs: ``/predictions/NAME``. They are not multiplexed
    (``@serve.multiplexed``): a replica that loads models as they are asked for lets the first request wait
    for the self-check, and cannot be given the cores of its model.

    Args:
        settings: of all of it.

    Raises:
        CardError: there is no such model, its archive cannot be read on this node, or keys are needed.
    """
    keys = None if settings.keys is None else Path(settings.keys).absolute()
    check_needed(keys)
    models = {}
    for name, path in find(settings.models, Path(settings.store)).items():
        kinds = {PREDICTIONS: settings.predictions, EXPLANATIONS: settings.explanations}
        planned = plan(path, settings.predictions.of_model(settings.limits))
        handles = {
            kind: _deployed(name, path.absolute(), kind, own, own.of_model(settings.limits, settings.records))
            for kind, own in kinds.items()
        }
        models[name] = Offered(handles, planned.limits, planned.version)
    ingress = serve.deployment(
        name="ingress",
        num_replicas=settings.ingress_replicas,
        max_ongoing_requests=2 * settings.places,  # those without a place are refused, and that takes one
        ray_actor_options={"num_cpus": 0},
        health_check_period_s=_HEALTH_SECONDS,
    )(Ingress)
    return ingress.bind(models, keys, settings.places)


def _deployed(name: str, path: Path, kind: str, own: Kind, settings: served.Settings) -> Application:
    planned = plan(path, settings)
    size = planned.batch_size
    ongoing = max(4 * size, _ONGOING) if own.max_ongoing_requests is None else own.max_ongoing_requests
    if ongoing < 2 * size:
        raise CardError(
            f"max_ongoing_requests={ongoing} of {name}'s {kind}, expected {2 * size} or more: twice the "
            "batch size, so that a batch can fill while another one runs."
        )
    options: dict[str, Any] = {
        "name": f"{name}-{kind}",
        "max_ongoing_requests": ongoing,
        "max_queued_requests": own.max_queued_requests,
        "ray_actor_options": {"num_cpus": own.num_cpus, "num_gpus": own.num_gpus},
        "request_router_config": _PROMPT,
        "health_check_period_s": _HEALTH_SECONDS,
        "health_check_timeout_s": _DRAIN * planned.limits.seconds,
        "graceful_shutdown_timeout_s": _DRAIN * planned.limits.seconds,
    }
    if own.min_replicas == own.max_replicas:
        options["num_replicas"] = own.min_replicas
    else:
        options["autoscaling_config"] = {
            "min_replicas": own.min_replicas,
            "max_replicas": own.max_replicas,
            "target_ongoing_requests": own.target_ongoing_requests or size,
        }
    return serve.deployment(**options)(Model).bind(name, path, kind, settings)
