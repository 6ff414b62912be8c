"""KServe's gRPC server where it is told to listen: KServe's own listens on every interface."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from grpc import aio
from kserve.protocol.grpc import grpc_predict_v2_pb2_grpc as service
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor
from kserve.protocol.grpc.server import GRPCServer
from kserve.protocol.grpc.servicer import InferenceServicer
from smoothserve.handlers.address import address


class GrpcServer(GRPCServer):
    """KServe's, at one address, with a limit of our own for messages, and not a line of log for each call."""

    def __init__(self, host: str, limit: int, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, kwargs={}, **settings)
        self._host, self._limit = host, limit

    async def start(self, max_workers: int) -> None:
        """Serve until :meth:`stop`."""
        options = [
            ("grpc.max_receive_message_length", self._limit),
            ("grpc.max_send_message_length", -1),  # the limit response_bytes holds
            ("grpc.so_reuseport", 0),  # else a second server takes the same port without a word
        ]
        self._server = aio.server(
            ThreadPoolExecutor(max_workers), interceptors=(ExceptionToStatusInterceptor(),), options=options
        )
        servicer = InferenceServicer(self._data_plane, self._model_repository_extension)
        service.add_GRPCInferenceServiceServicer_to_server(servicer, self._server)
        self._server.add_insecure_port(address(self._host, self._port))
        await self._server.start()
        await self._server.wait_for_termination()
