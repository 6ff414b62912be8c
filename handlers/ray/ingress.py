"""What clients talk to: reads requests, hands each to a replica of its model and kind, writes the answer."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError
from smoothserve.handlers.answer import Answer, error_answer, json_answer, refusal
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.limits import Limits
from starlette.requests import Request
from starlette.responses import Response

from . import routes
from .access import write_line
from .keys import check_needed, is_known, is_loopback, read_keys
from .loopback import stay_on_loopback
from .model import Asked
from .upload import received

log = logging.getLogger(__name__)
METHODS = ("POST", "PUT")
_RETRY_AFTER = 1  # s
_TRIES = 3  # a replica that dies takes its requests along, and they are asked again


@dataclass(frozen=True)
class Offered:
    """A model behind the ingress.

    Attributes:
        kinds: predictions or explanations -> handle of the deployment.
        limits: of requests.
        version: of the model.
    """

    kinds: Mapping[str, Any]
    limits: Limits
    version: str

    @property
    def body_limit(self) -> int:
        """Bytes of the largest request: one image of the limit's size in base64, and what is around it."""
        return self.limits.body_bytes * 4 // 3 + 1_000_000

    @property
    def patience(self) -> float:
        """Seconds that a request waits for its answer: those of its batch, and as many for its turn."""
        return 2 * self.limits.seconds


class Ingress:
    """A replica of the ingress. It computes nothing, so one serves many replicas of models.

    Args:
        models: by name.
        keys: file of the keys; None: only clients on this machine are answered.
        places: requests at once; each may hold a body.

    Raises:
        CardError: there are no keys in the file, or no file where one is needed.
    """

    def __init__(self, models: Mapping[str, Offered], keys: Path | None, places: int) -> None:
        stay_on_loopback()
        check_needed(keys)
        self._models = models
        self._keys = None if keys is None else read_keys(keys)
        self._places, self._taken = places, 0

    async def __call__(self, request: Request) -> Response:
        """Answer a request, and log it."""
        start = time.monotonic()
        read: list[int] = [0]
        answer = Answer(499, "", b"")
        try:
            answer = await self._answer(request, read)
        except _BusyError as error:
            answer = _with(error_answer(error), **{"Retry-After": str(_RETRY_AFTER)})
        except RequestError as error:
            answer = error_answer(error)
        finally:
            write_line(request, answer.status, read[0], len(answer.body), time.monotonic() - start)
        return Response(answer.body, answer.status, dict(answer.headers), answer.content_type)

    async def _answer(self, request: Request, read: list[int]) -> Answer:
        path = request.scope.get("raw_path", b"").decode("latin-1").partition("?")[0] or request.url.path
        if path.rstrip("/") == "/ping":
            return json_answer(200, {"status": "Healthy"})
        route = routes.find(path)
        if route is None:
            raise RequestError(f"There is nothing at {path[:80]!r}.", 404)
        if request.method not in METHODS:
            return _with(
                refusal(405, f"{request.method[:20]!r}, expected POST or PUT."), Allow=", ".join(METHODS)
            )
        if denied := self._denied(request):
            return denied
        model = self._model(route)
        with self._place():
            body = await received(request, model.body_limit, model.limits.seconds)
            read[0] = len(body)
            kind = routes.JSON if route.is_json else request.headers.get("content-type", "")
            headers = routes.options(dict(request.headers))
            return await self._asked(model, route.kind, Asked(body, kind, headers, route.path))

    def _denied(self, request: Request) -> Answer | None:
        """Why the client is not answered."""
        if self._keys is None:
            if request.client is None or not is_loopback(request.client.host):
                return refusal(
                    403, "This server has no keys, so it answers clients on its own machine alone."
                )
        elif not is_known(request.headers.get("authorization", ""), self._keys):
            why = "A key is needed: the header Authorization: Bearer KEY."
            return _with(refusal(401, why), **{"WWW-Authenticate": "Bearer"})
        return None

    def _model(self, route: routes.Route) -> Offered:
        model = self._models.get(route.name)
        if model is None:
            known = ", ".join(self._models)
            raise RequestError(f"There is no model {route.name[:80]!r}; there are: {known}.", 404)
        if route.version not in (None, model.version):
            raise RequestError(
                f"There is no version {route.version[:80]!r} of {route.name}, but {model.version}.", 404
            )
        return model

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._taken >= self._places:
            raise _BusyError(f"{self._places} requests are waiting already; ask again later.")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def _asked(self, model: Offered, kind: str, asked: Asked) -> Answer:
        try:
            return await asyncio.wait_for(_sent(model.kinds[kind], asked), model.patience)
        except asyncio.TimeoutError:
            return refusal(504, f"There was no answer within {model.patience:g} s.")


class _BusyError(RequestError):
    def __init__(self, message: str) -> None:
        super().__init__(message, 503)


async def _sent(handle: Any, asked: Asked) -> Answer:
    for _ in range(_TRIES):
        try:
            answer: Answer = await handle.remote(asked)
            return answer
        except BackPressureError:
            raise _BusyError("Too many requests are waiting already; ask again later.") from None
        except DeploymentUnavailableError:
            break
        except RayActorError as error:
            log.warning("a replica ended before it answered: %s", type(error).__name__)
        except Exception as error:
            log.exception("a request failed")
            return error_answer(error)
    raise _BusyError("The model is not there at the moment; ask again later.")


def _with(answer: Answer, **headers: str) -> Answer:
    return replace(answer, headers={**answer.headers, **headers})
