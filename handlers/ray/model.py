"""A model as Ray Serve runs it: in replicas that answer either predictions or explanations."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ray import serve
from smoothserve.handlers.answer import Answer
from smoothserve.handlers.errors import RequestError
from smoothserve.handlers.metrics import Meter
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.protocols.base import Request
from smoothserve.handlers.served import EXPLANATIONS, Settings, load

from .forms import fields
from .loopback import stay_on_loopback
from .metrics import Reporter

log = logging.getLogger(__name__)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Asked:
    """A request on its way from the ingress to a replica.

    Attributes:
        body: as it was sent.
        content_type: that says what it is.
        headers: Accept, and options as ``X-Target`` and so on.
        path: options in the URL.
    """

    body: bytes
    content_type: str
    headers: dict[str, str]
    path: str = ""


class Model:
    """A replica: one kind of one model.

    What its batches wait for is one thread, in which ONNX Runtime runs: the event loop stays free to take
    requests, and to say that the replica lives.

    Args:
        name: of the model on the server.
        path: of its archive or .onnx file, on this node.
        kind: predictions or explanations.
        settings: of the server.

    Raises:
        CardError: it cannot be served, or does not answer as when it was packed; the replica does not start
            then.
    """

    def __init__(self, name: str, path: Path, kind: str, settings: Settings) -> None:
        stay_on_loopback()
        _log_to_stderr()
        self._kind = kind
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=kind)
        self._folder = tempfile.TemporaryDirectory(prefix="smoothserve-")
        self._served = load(name, path, settings, Path(self._folder.name) / "model", kind)
        size = self._served.batch_size

        @serve.batch(
            max_batch_size=size, batch_wait_timeout_s=self._served.max_batch_delay if size > 1 else 0
        )
        async def together(asked: list[Asked]) -> list[Answer]:
            return await self._in_thread(lambda: self._run(asked))

        self._together = together
        self._reporter = Reporter(name)
        self._doubtful = False
        log.info("%s: %s are ready", name, kind)

    def __del__(self) -> None:
        """Ray calls it where a replica ends in order: its records end so, too."""
        served = getattr(self, "_served", None)  # there is none where the replica did not start
        if served is not None and served.service.recorder is not None:
            served.service.recorder.close()

    async def __call__(self, asked: Asked) -> Answer:
        """The answer to one request."""
        return await self._together(asked)

    async def check_health(self) -> None:
        """Ray asks every few seconds, and replaces the replica after three failures in a row.

        A replica that failed on a request since is asked about the parity image: if it answers as when it was
        packed, the request was at fault.

        Raises:
            CardError: it does not.
        """
        if self._doubtful:
            await self._in_thread(self._served.check)
            self._doubtful = False

    async def _in_thread(self, run: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _run(self, batch: Sequence[Asked]) -> list[Answer]:
        meter = Meter()
        answers = self._served.service.answer([self._read(asked) for asked in batch], meter)
        meter.finish(len(batch))
        self._reporter.report(meter)
        self._doubtful |= any(answer.status == 500 for answer in answers)
        log.info("batch of %d answered: %s", len(batch), [answer.status for answer in answers])
        return answers

    def _read(self, asked: Asked) -> Request | RequestError:
        """The request, or why it cannot be read."""
        try:
            found = fields(asked.body, asked.content_type)
            explain = self._kind == EXPLANATIONS
            return read_request(found, asked.headers, explain, self._served.service.offer, asked.path)
        except RequestError as error:
            return error
        except Exception:
            log.exception("a request could not be read")
            return RequestError("The request could not be understood.")


def _log_to_stderr() -> None:
    """Ray gathers what workers print there."""
    logger = logging.getLogger("smoothserve")
    if not logger.handlers:
        logger.addHandler(logging.StreamHandler(sys.stderr))
        logger.setLevel(logging.INFO)
