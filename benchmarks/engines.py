"""TorchServe, Ray Serve and LitServe around the same file, and bare calls of the core.

usage: python -m benchmarks.engines [--seconds 6] [--clients 1 4 16]

EfficientNet-Lite0 with SmoothDiff's default. All servers run at the same time and are asked in turns, by so
many clients that ask without pause: predictions alone, explanations alone, and predictions (one client, every
50 ms) while the others ask for explanations. Writes engines.json and .md. LitServe's server is twenty lines
around the same core, as a small team would write it: two APIs, a process each.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import skimage
from PIL import Image
from smoothserve.cli.main import main as smoothserve
from smoothserve.export import to_archive
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.service import ExplanationService

from tests.server.loopback import free_ports
from tests.server.ray import RayServe
from tests.server.torchserve import TorchServe

from .page import head, paragraph, table, text_of, write_page
from .record import Help, Record, add_out_options, conditions
from .serving import Client, bare_prediction, summary
from .timing import Seconds

NETWORK = "efficientnet-lite0"
KINDS = ("predictions", "explanations", "predictions under explanations")
_EVERY = 0.05  # s between predictions under load
_WARM_UP = 100  # predictions: Java compiles what it runs often
_LITSERVE = """\
import sys
import litserve
from fastapi import Response
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.service import ExplanationService

class API(litserve.LitAPI):
    def __init__(self, file, explain):
        super().__init__(api_path="/explain" if explain else "/predict")
        self.file, self.explain = file, explain

    def setup(self, device):
        paths = ([self.file], None) if self.explain else ([], self.file)
        self.service = ExplanationService(*paths, threads=2)

    def decode_request(self, request):
        return request  # parsed from JSON: LitServe takes no bare bodies

    def predict(self, body):
        (answer,) = self.service.answer([read_request({"body": body}, {}, self.explain, self.service.offer)])
        return answer

    def encode_response(self, answer):
        return Response(answer.body, answer.status, media_type=answer.content_type)

if __name__ == "__main__":
    from pathlib import Path
    apis = [API(Path(sys.argv[1]), False), API(Path(sys.argv[2]), True)]
    server = litserve.LitServer(apis, accelerator="cpu", timeout=120)
    server.run(host="127.0.0.1", port=int(sys.argv[3]), generate_client_file=False, num_api_servers=1)
"""
Ask = Callable[[], Callable[[], Any]]  # makes a client, which asks once when it is called


class LitServe:
    """The server above, on loopback."""

    def __init__(self, prediction: Path, explanation: Path) -> None:
        (self.port,) = free_ports(1)
        self._files = [str(prediction), str(explanation)]

    def __enter__(self) -> LitServe:
        with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
            file.write(_LITSERVE)
        self._script = Path(file.name)
        self._process = subprocess.Popen(
            [sys.executable, file.name, *self._files, str(self.port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).close()
                return self
            except OSError:
                time.sleep(0.5)
        self.__exit__()
        raise RuntimeError("LitServe was not ready after 60 s")

    def __exit__(self, *_: object) -> None:
        os.killpg(self._process.pid, 15)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        self._script.unlink()


def load(ask: Ask, seconds: float, clients: int, pause: float = 0.0) -> Seconds:
    """Seconds of each answer that came in that time."""
    taken: Seconds = []
    end = time.monotonic() + seconds

    def work() -> None:
        call = ask()
        while time.monotonic() < end:
            start = time.perf_counter()
            call()
            taken.append(time.perf_counter() - start)
            time.sleep(pause)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def cell(kind: str, predict: Ask, explain: Ask, seconds: float, clients: int) -> dict[str, float]:
    """Percentiles in milliseconds, and answers a second."""
    if kind == "predictions under explanations":
        flood = threading.Thread(target=load, args=(explain, seconds + 1, clients))
        flood.start()
        time.sleep(1)
        taken = load(predict, seconds - 1, 1, _EVERY)
        flood.join()
        return summary(taken)
    start = time.perf_counter()
    taken = load(predict if kind == "predictions" else explain, seconds, clients)
    whole = time.perf_counter() - start  # the last answers come after ``seconds``
    return {**summary(taken), "per_second": round(len(taken) / whole, 1)}


@contextmanager
def rivals(root: Path, photo: bytes) -> Iterator[dict[str, tuple[Ask, Ask]]]:
    """Name -> what makes clients for predictions, and for explanations; all warm."""
    for name in ("torchserve", "ray"):
        (root / name).mkdir()
    smoothserve(["export", NETWORK, "-o", str(root / "model.onnx"), "--fast"])
    archive = to_archive(root / "model.onnx", "ours", store=root / "torchserve/store")
    explained, plain = ExplanationService([root / "model.onnx"], threads=2), bare_prediction(archive, root)

    def bare(service: ExplanationService, explain: bool) -> Ask:
        def call() -> None:
            (answer,) = service.answer([read_request({"body": photo}, {}, explain, service.offer)])
            assert answer.status == 200

        return lambda: call

    def asked(server: Any, path: str, body: bytes = photo, kind: str = "application/octet-stream") -> Ask:
        def client() -> Callable[[], Any]:
            own = Client(server)
            return lambda: own.ask(path, body, kind)

        return client

    with ExitStack() as servers:
        torchserve = servers.enter_context(TorchServe(root / "torchserve", "ours"))
        ray = servers.enter_context(RayServe(root / "ray", [str(archive)], ["--threads", "2"]))
        litserve = servers.enter_context(LitServe(root / "prediction.onnx", root / "model.onnx"))
        packed = json.dumps({"data": b64encode(photo).decode()}).encode(), "application/json"
        found = {
            "bare calls": (bare(plain, False), bare(explained, True)),
            "TorchServe": (
                asked(torchserve, "/predictions/ours"),
                asked(torchserve, "/explanations/ours-explain"),
            ),
            "Ray Serve": (asked(ray, "/predictions/ours"), asked(ray, "/explanations/ours")),
            "LitServe": (asked(litserve, "/predict", *packed), asked(litserve, "/explain", *packed)),
        }
        for predict, explain in found.values():
            one, other = predict(), explain()
            for _ in range(_WARM_UP):
                one()
            for _ in range(5):
                other()
        yield found


def measure(seconds: float, clients: list[int]) -> list[dict[str, Any]]:
    """A row for each kind, number of clients and rival."""
    buffer = io.BytesIO()
    Image.open(Path(skimage.__file__).parent / "data/chelsea.png").save(buffer, "JPEG", quality=90)
    rows = []
    with tempfile.TemporaryDirectory() as folder, rivals(Path(folder), buffer.getvalue()) as found:
        for kind in KINDS:
            for count in clients:
                for name, (predict, explain) in found.items():
                    if name == "bare calls" and (count > 1 or kind == KINDS[2]):
                        continue  # calls in one process say nothing of a queue
                    figures = cell(kind, predict, explain, seconds, count)
                    rows.append({"kind": kind, "clients": count, "rival": name, **figures})
                    print(rows[-1], file=sys.stderr, flush=True)
    return rows


def report(result: dict[str, Any]) -> str:
    """The page."""
    lines = [
        *head("Engines", "benchmarks.engines", "engines", result),
        *paragraph(
            "The same file and photo (a JPEG of 35 kB) behind TorchServe, Ray Serve and LitServe, each with "
            "a process for predictions and one for explanations, of two threads. The clients are on the same "
            "machine. LitServe takes JSON, so the photo goes there as base64. Milliseconds of an answer at "
            "the 50th, 95th and 99th percentile, and answers a second. All servers run at the same time and "
            "are asked in turns. Bare calls are of the same core, one after the other."
        ),
    ]
    for kind in KINDS:
        rows = [row for row in result["rows"] if row["kind"] == kind]
        last = [] if kind == KINDS[2] else ["a second"]
        lines += [f"## {kind.capitalize()}", ""]
        lines += table(
            ("clients" if last else "clients that ask for explanations", "", "p50", "p95", "p99", *last),
            (
                (
                    row["clients"],
                    row["rival"],
                    row["p50"],
                    row["p95"],
                    row["p99"],
                    *([row["per_second"]] if last else []),
                )
                for row in rows
            ),
        )
    return text_of(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("--seconds", type=float, default=6, help="of each load")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16], help="that ask without pause")
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("engines", arguments)
    if not arguments.report:
        rows = measure(arguments.seconds, arguments.clients)
        packages = ("onnxruntime", "torchserve", "ray", "litserve")
        record.write({**conditions(os.cpu_count() or 1, packages), "rows": rows})
    write_page(record.page, report(record.read()))


if __name__ == "__main__":
    main()
