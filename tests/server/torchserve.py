"""A real TorchServe on free loopback ports, started by scripts/serve.sh and always stopped again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.server.loopback import answered, free_ports

ROOT = Path(__file__).parents[2]
START_SECONDS = 120


class TorchServe:
    """Serve one archive of ``folder/store``, by the repository's ``config`` but on free ports."""

    def __init__(
        self,
        folder: Path,
        name: str,
        together: bool = False,
        config: str = "config.properties",
        wait: bool = True,
    ) -> None:
        self.folder, self.name, self.together, self.wait = folder, name, together, wait
        self.port, self.management, self.metrics, self.grpc, other = free_ports(5)
        text = (ROOT / config).read_text()
        for old, new in ((8080, self.port), (8081, self.management), (8082, self.metrics)):
            text = text.replace(f":{old}", f":{new}")
        text += f"grpc_inference_port={self.grpc}\ngrpc_management_port={other}\n"
        text = re.sub(
            r"^metrics_config=.*", f"metrics_config={ROOT / 'deploy/metrics.yaml'}", text, flags=re.M
        )
        self.config = folder / "config.properties"
        self.config.write_text(text)
        self.run = folder / "run"
        self.run.mkdir()
        self.authorization: dict[str, str] = {}

    def __enter__(self) -> TorchServe:
        environment = {
            **os.environ,
            "SMOOTHSERVE_CONFIG": str(self.config),
            "SMOOTHSERVE_STORE": str(self.folder / "store"),
            "SMOOTHSERVE_RUN": str(self.run),
        }
        environment.pop("PYTHONPATH", None)  # an archive's own handlers serve, not those of the working tree
        command = [str(ROOT / "scripts/serve.sh"), *(["--together"] if self.together else []), self.name]
        self.process = subprocess.Popen(command, env=environment)
        try:
            if self.wait:
                self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)

    def workers(self, name: str | None = None) -> list[dict[str, Any]]:
        workers: list[dict[str, Any]] = self.about(name or self.name)["workers"]
        return workers

    def about(self, name: str, query: str = "") -> dict[str, Any]:
        """What the management port says about a model."""
        headers = {}
        if self.authorization:
            keys = json.loads((self.run / "key_file.json").read_text())
            headers = {"Authorization": f"Bearer {keys['management']['key']}"}
        url = f"http://127.0.0.1:{self.management}/models/{name}{query}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            about: dict[str, Any] = json.load(answer)[0]
            return about

    def scrape(self) -> str:
        """What Prometheus would read."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=5) as answer:
            return str(answer.read(), "utf-8")

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, str, bytes]:
        """Status, content type and body of the answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data=body,
            method="POST",
            headers={
                "Content-Type": "application/octet-stream",
                **self.authorization,
                **{k.replace("_", "-"): v for k, v in headers.items()},
            },
        )
        status, headers, content = answered(request)
        return status, headers.get("Content-Type", ""), content

    def post_form(self, path: str, fields: dict[str, bytes], **headers: str) -> tuple[int, str, bytes]:
        """The same with multipart form fields."""
        parts = [
            b'--edge\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), value)
            for name, value in fields.items()
        ]
        kind = {"Content-Type": "multipart/form-data; boundary=edge"}
        return self.post(path, b"".join(parts) + b"--edge--\r\n", **{**kind, **headers})

    def log(self) -> str:
        return "".join(path.read_text() for path in (self.run / "logs").glob("model_log*"))

    def batch_sizes(self) -> list[int]:
        """Of the batches answered so far, from the handler's log, which it writes a little later."""
        time.sleep(1.5)
        return [int(size) for size in re.findall(r"batch of (\d+) answered", self.log())]

    def _wait(self) -> None:
        names = [self.name] if self.together else [self.name, f"{self.name}-explain"]
        command = [sys.executable, str(ROOT / "scripts/ready.py"), *names, "--wait", "1"]
        command += ["--url", f"http://127.0.0.1:{self.port}"]
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"serve.sh ended with {self.process.returncode}")
            keys = self.run / "key_file.json"
            tokens = ["--key-file", str(keys)] if keys.is_file() else []
            if subprocess.run([*command, *tokens], capture_output=True).returncode == 0:
                if tokens:
                    key = json.loads(keys.read_text())["inference"]["key"]
                    self.authorization = {"Authorization": f"Bearer {key}"}
                return
        raise RuntimeError(f"TorchServe was not ready after {START_SECONDS} s:\n{self.log()[-2000:]}")
