"""The server: KServe's, at the address that it is told, with models that come from the command line alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kserve import ModelServer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from .model import ExplanationModel
from .refusal import Refusal
from .rest import RestServer
from .rpc import GrpcServer

_APP = "kserve.model_server:app"
_GRACE = 30  # s, for requests that are being answered when the server is told to stop


class Server(ModelServer):
    """Serves REST and gRPC until it is interrupted.

    Args:
        host: address to listen on.
        port: of REST.
        grpc_port: of gRPC.
    """

    def __init__(self, host: str, port: int, grpc_port: int) -> None:
        super().__init__(port, grpc_port, enable_latency_logging=False, grace_period=_GRACE)
        self.host = host
        self.model_repository_extension = _ClosedRepository(self.registered_models)

    def start(self, models: Sequence[ExplanationModel]) -> None:
        """Serve the models; returns when it is told to stop by a signal."""
        for model in models:
            self.register_model(model)
        rest = RestServer(
            self.host,
            _APP,
            self.dataplane,
            self.model_repository_extension,
            self.http_port,
            grace_period=self.grace_period,
        )
        self._grpc_server = GrpcServer(  # ModelServer stops it
            self.host,
            max(model.body_limit for model in models),
            self.grpc_port,
            self.dataplane,
            self.model_repository_extension,
            grace_period=self.grace_period,
        )
        self.servers += [rest.start(), self._grpc_server.start(self.max_threads)]
        self.register_signal_handler()
        asyncio.run(self._serve())


class _ClosedRepository(ModelRepositoryExtension):
    """Whoever can send a request could otherwise unload a model."""

    async def load(self, model_name: str) -> None:
        raise Refusal(403, "Models come from the command line; none is loaded over the network.")

    async def unload(self, model_name: str) -> None:
        raise Refusal(403, "Models come from the command line; none is unloaded over the network.")
