"""A real Ray Serve on loopback, started by the command, and always stopped again with all its processes."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from tests.server.loopback import answered, free_ports
from tests.server.torchserve import ROOT

COMMAND = (sys.executable, "-m", "smoothserve.cli.main", "serve", "--engine", "ray")
START_SECONDS = 120
_REPLICA = re.compile(r"ray::ServeReplica:smoothserve:([\w.-]+)")


class RayServe:
    """Serve ``models``, as the command line names them.

    Args:
        folder: of the server's log.
        models: NAME, or a path; the first is asked.
        options: further ones of the command line.
    """

    def __init__(self, folder: Path, models: Sequence[str], options: Sequence[str] = ()) -> None:
        (self.port,) = free_ports(1)
        self._log = folder / "ray.log"
        self._command = [*COMMAND, *models, "--port", str(self.port), *options]
        self.authorization: dict[str, str] = {}

    def __enter__(self) -> RayServe:
        with self._log.open("w") as log:
            self.process = subprocess.Popen(self._command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """Ask it to stop, as Kubernetes does; its exit code. Whatever it leaves behind is ended."""
        left = self.descendants()
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        finally:
            for process in [self.process, *left]:
                if process.poll() is None if isinstance(process, subprocess.Popen) else process.is_running():
                    process.kill()

    def descendants(self) -> list[psutil.Process]:
        """Every process that it started, and theirs."""
        if self.process.poll() is not None:
            return []
        return psutil.Process(self.process.pid).children(recursive=True)

    def replicas(self) -> dict[int, str]:
        """Process id of each replica of a deployment -> the deployment's name."""
        found = {}
        for process in self.descendants():
            try:
                title = " ".join(process.cmdline())
            except psutil.NoSuchProcess:
                continue
            if replica := _REPLICA.match(title):
                found[process.pid] = replica[1]
        return found

    def workers(self) -> list[dict[str, Any]]:
        """The same as TorchServe has them."""
        return [{"pid": pid, "id": name} for pid, name in sorted(self.replicas().items())]

    def get(self, path: str) -> tuple[int, Message, bytes]:
        """Status, headers and body of the answer."""
        return answered(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}"))

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, str, bytes]:
        """Status, content type and body of the answer."""
        status, found, content = self.ask(path, body, **headers)
        return status, found.get("Content-Type", ""), content

    def ask(self, path: str, body: bytes, **headers: str) -> tuple[int, Message, bytes]:
        """The same with all headers of the answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=body,
            method="POST",
            headers={"Content-Type": "application/octet-stream", **self.authorization, **named},
        )
        return answered(request)

    def post_form(self, path: str, fields: dict[str, bytes], **headers: str) -> tuple[int, str, bytes]:
        """The same with multipart form fields."""
        parts = [
            b'--edge\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value)
            for name, value in fields.items()
        ]
        kind = {"Content-Type": "multipart/form-data; boundary=edge"}
        return self.post(path, b"".join(parts) + b"--edge--\r\n", **{**kind, **headers})

    def log(self) -> str:
        return self._log.read_text()

    def batch_sizes(self) -> list[int]:
        """Of the batches answered so far, from the replicas' logs, which Ray brings a little later."""
        time.sleep(2)
        return [int(size) for size in re.findall(r"batch of (\d+) answered", self.log())]

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while "serving on http" not in self.log():
            if self.process.poll() is not None:
                raise RuntimeError(f"Ray ended with {self.process.returncode}:\n{self.log()[-3000:]}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Ray was not ready after {START_SECONDS} s:\n{self.log()[-3000:]}")
            time.sleep(0.2)
        found = re.search(r"metrics on (\S+) ", self.log())
        assert found is not None
        self.metrics = found[1]
