"""KServe's REST server with our answers: where it listens, how bodies are read, what errors look like."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.server import RESTServer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from .refusal import Refusal

_DRAINED = 4  # times the limit: a client reads why its body is too large only once it has sent it


class RestServer(RESTServer):
    """KServe's own listens on every interface.

    Its endpoints for inference parse and validate bodies in the event loop, without a limit, and read
    answers again before they are sent. So ours stand before them; all others are KServe's.
    """

    def __init__(self, host: str, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.config.host = host

    def _register_endpoints(self, app: FastAPI) -> None:
        endpoints = _Endpoints(self.dataplane)
        router = APIRouter()
        router.add_api_route("/v1/models/{name}:predict", endpoints.predict_v1, methods=["POST"])
        router.add_api_route("/v1/models/{name}:explain", endpoints.explain_v1, methods=["POST"])
        router.add_api_route("/v2/models/{name}/infer", endpoints.infer_v2, methods=["POST"])
        router.add_api_route("/v2/models/{name}/explain", endpoints.explain_v2, methods=["POST"])
        app.include_router(router)
        super()._register_endpoints(app)

    def _add_middlewares(self, app: FastAPI) -> None:
        """None: KServe's writes two lines of timings for each request; /metrics has them."""

    def _add_exception_handlers(self, app: FastAPI) -> None:
        super()._add_exception_handlers(app)
        app.add_exception_handler(HTTPException, _no_such_endpoint)
        app.add_exception_handler(Refusal, _refused)
        app.add_exception_handler(RequestValidationError, _invalid)
        app.add_exception_handler(Exception, _failed)


class _Endpoints:
    def __init__(self, dataplane: DataPlane) -> None:
        self._dataplane = dataplane

    @property
    def _names(self) -> list[str]:
        return list(self._dataplane.model_registry.get_models())

    async def predict_v1(self, name: str, request: Request) -> Response:
        return await self._answer(self._dataplane.infer, name, request, "instances")

    async def explain_v1(self, name: str, request: Request) -> Response:
        return await self._answer(self._dataplane.explain, name, request, "instances")

    async def infer_v2(self, name: str, request: Request) -> Response:
        return await self._answer(self._dataplane.infer, name, request, "inputs")

    async def explain_v2(self, name: str, request: Request) -> Response:
        return await self._answer(self._dataplane.explain, name, request, "inputs")

    async def _answer(self, verb: Any, name: str, request: Request, member: str) -> Response:
        model = self._dataplane.model_registry.get_model(name)
        if model is None:
            raise Refusal(404, f"There is no model {name[:80]!r}; there are: {', '.join(self._names)}.")
        with model.place():
            body = await _body(request, model.body_limit, model.patience)
            answer, _ = await verb(name, (body, member), dict(request.headers))
        return Response(answer.body, answer.status, dict(answer.headers), answer.content_type)


async def _body(request: Request, limit: int, seconds: float) -> bytes:
    """All of it, and no more than that in memory.

    Raises:
        Refusal: 413, it is larger; 408, it does not come.
    """
    try:
        return await asyncio.wait_for(_received(request, limit), seconds)
    except (asyncio.TimeoutError, ClientDisconnect):
        raise Refusal(408, f"The request was not sent within {seconds:g} s.") from None


async def _received(request: Request, limit: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= limit:
            parts.append(part)
        elif size > _DRAINED * limit:
            break
    if size > limit:
        raise Refusal(413, f"The request has more than {limit:,} bytes, which is what this server allows.")
    return b"".join(parts)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    return JSONResponse({"error": error.message}, error.status)


async def _no_such_endpoint(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": f"{request.method} {request.url.path}: {error.detail}."}, error.status_code)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": "The request is not what this endpoint expects."}, 400)


async def _failed(_: Request, error: Exception) -> JSONResponse:
    """KServe's own handler sends the exception's text; Starlette logs it and lets nobody else see it."""
    return JSONResponse({"error": "The server failed on this request; see its log."}, 500)
