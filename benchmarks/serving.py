"""What serving costs: smoothserve's archive, bare calls, and TorchServe's stock handler with captum.

usage: python -m benchmarks.serving [--rounds 20] [--seconds 8]

One client asks all rivals in turns, so that noise of the machine meets them alike. Then predictions are
measured while two clients ask for explanations without pause, with two registrations (the default of
scripts/serve.sh) and with one. Writes serving.json and serving.md.
"""

from __future__ import annotations

import argparse
import http.client
import io
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import skimage
import torch
from PIL import Image
from smoothserve.cli.main import main as smoothserve
from smoothserve.cli.models import load_model
from smoothserve.export import to_archive
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.service import ExplanationService

from tests.server.torchserve import TorchServe

from .page import write_page
from .record import Help, Record, add_out_options
from .serving_report import report
from .timing import Seconds, interleaved

NETWORK = "efficientnet-lite0"
_STOCK_MODEL = f"""\
import torch
from smoothserve.cli.models import load_model

class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.network = load_model({NETWORK!r}, None, None, None).classifier

    def forward(self, x):
        return self.network(x)
"""
_IN_A_ROW = 3  # calls of one rival before the next one's turn
_WARM_UP = 200  # predictions before anything is measured: Java compiles what it runs often


class Client:
    """One connection that is kept, as a busy application does."""

    def __init__(self, server: TorchServe) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)

    def ask(self, path: str, body: bytes, kind: str = "application/octet-stream") -> bytes:
        """The body of a 200 answer."""
        self._connection.request("POST", path, body, {"Content-Type": kind})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {content[:300]!r}")
        return content


def stock_archive(store: Path) -> None:
    """TorchServe's own image_classifier with captum's IntegratedGradients, for the same network."""
    store.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        module, weights = Path(folder) / "network.py", Path(folder) / "network.pth"
        module.write_text(_STOCK_MODEL)
        network = torch.nn.Module()
        network.network = load_model(NETWORK, None, None, None).classifier
        torch.save(network.state_dict(), weights)
        subprocess.run(
            [
                sys.executable, "-m", "model_archiver.model_packaging",
                "--model-name", "stock", "--version", "1.0", "--handler", "image_classifier",
                "--model-file", str(module), "--serialized-file", str(weights), "--export-path", str(store),
            ],
            check=True, capture_output=True, env={**os.environ, "TMPDIR": folder},
        )  # fmt: skip


def under_load(server: TorchServe, explain: str, photo: bytes, seconds: float) -> dict[str, Any]:
    """Predictions of one client, every 50 ms, while two others ask for explanations without pause."""
    stop = threading.Event()
    explained: Seconds = []

    def flood() -> None:
        client = Client(server)
        while not stop.is_set():
            start = time.perf_counter()
            client.ask(explain, photo)
            explained.append(time.perf_counter() - start)

    predictor = Client(server)
    predictor.ask("/predictions/ours", photo)
    alone = []
    for _ in range(20):
        start = time.perf_counter()
        predictor.ask("/predictions/ours", photo)
        alone.append(time.perf_counter() - start)
    threads = [threading.Thread(target=flood) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    taken: Seconds = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        predictor.ask("/predictions/ours", photo)
        taken.append(time.perf_counter() - start)
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    return {
        "predictions_alone": summary(alone),
        "predictions": summary(taken),
        "explanations": summary(explained),
        "explanations_per_second": len(explained) / (seconds + 1),
    }


def throughput(
    server: TorchServe, path: str, photo: bytes, seconds: float, clients: int = 4
) -> dict[str, Any]:
    """Answers a second with so many clients that ask without pause."""
    taken: Seconds = []
    end = time.monotonic() + seconds

    def work() -> None:
        client = Client(server)
        while time.monotonic() < end:
            start = time.perf_counter()
            client.ask(path, photo)
            taken.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"per_second": len(taken) / seconds, **summary(taken)}


def summary(seconds: Seconds) -> dict[str, float]:
    """Percentiles in milliseconds."""
    ordered = sorted(seconds)
    cuts = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    return {
        name: round(1000 * ordered[min(int(q * len(ordered)), len(ordered) - 1)], 1)
        for name, q in cuts.items()
    } | {"count": len(ordered)}


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    """Everything, as it goes into the JSON file."""
    buffer = io.BytesIO()
    Image.open(Path(skimage.__file__).parent / "data/chelsea.png").save(buffer, "JPEG", quality=90)
    photo = buffer.getvalue()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        smoothserve(["export", NETWORK, "-o", str(root / "model.onnx")])
        for name in ("split", "together", "rival"):
            (root / name).mkdir()
        to_archive(root / "model.onnx", "ours", store=root / "split/store")
        to_archive(root / "model.onnx", "ours", store=root / "together/store")
        stock_archive(root / "rival/store")
        service = ExplanationService([root / "model.onnx"])
        plain = bare_prediction(root / "split/store/ours.mar", root)
        result: dict[str, Any] = {
            "date": str(date.today()),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "versions": {p: version(p) for p in ("torch", "onnxruntime", "torchserve", "captum")},
            "network": NETWORK,
            "photo": "chelsea, 451 x 300, as a JPEG of 35 kB, raw body",
        }

        def bare(of: ExplanationService, explain: bool) -> bytes:
            (answer,) = of.answer([read_request({"body": photo}, {}, explain, of.offer)])
            assert answer.status == 200
            return answer.body

        with (
            TorchServe(root / "split", "ours") as ours,
            TorchServe(root / "rival", "stock", together=True) as stock,
        ):
            mine, theirs = Client(ours), Client(stock)
            rivals: dict[str, Callable[[], bytes]] = {
                "prediction, bare calls": lambda: bare(plain, False),
                "prediction, smoothserve": lambda: mine.ask("/predictions/ours", photo),
                "prediction, stock": lambda: theirs.ask("/predictions/stock", photo),
                "explanation, bare calls": lambda: bare(service, True),
                "explanation, smoothserve": lambda: mine.ask("/explanations/ours-explain", photo),
                "explanation, stock": lambda: theirs.ask("/explanations/stock", photo),
            }
            result["bytes"] = {name: len(call()) for name, call in rivals.items()}
            for _ in range(_WARM_UP):
                mine.ask("/predictions/ours", photo)
                theirs.ask("/predictions/stock", photo)
            taken = interleaved(rivals, rounds, _IN_A_ROW)
            result["latency"] = {name: summary(values) for name, values in taken.items()}
            result["overhead"] = {
                kind: round(
                    1000
                    * (
                        statistics.median(taken[f"{kind}, smoothserve"])
                        - statistics.median(taken[f"{kind}, bare calls"])
                    ),
                    1,
                )
                for kind in ("prediction", "explanation")
            }
            paths = {
                "prediction, smoothserve": (ours, "/predictions/ours"),
                "prediction, stock": (stock, "/predictions/stock"),
                "explanation, smoothserve": (ours, "/explanations/ours-explain"),
                "explanation, stock": (stock, "/explanations/stock"),
            }
            result["throughput"] = {
                name: throughput(server, path, photo, seconds) for name, (server, path) in paths.items()
            }
            result["isolation"] = {
                "two registrations": under_load(ours, "/explanations/ours-explain", photo, seconds)
            }
        with TorchServe(root / "together", "ours", together=True) as together:
            result["isolation"]["one registration"] = under_load(
                together, "/explanations/ours", photo, seconds
            )
    return result


def bare_prediction(archive: Path, folder: Path) -> ExplanationService:
    """The prediction graph of an archive, unpacked into a folder."""
    import zipfile

    with zipfile.ZipFile(archive) as content:
        content.extract("prediction.onnx", folder)
        content.extract("weights.bin", folder)
    return ExplanationService([], folder / "prediction.onnx")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("--rounds", type=int, default=20, help="of requests in turns")
    parser.add_argument("--seconds", type=float, default=8, help="of each load")
    add_out_options(parser)
    arguments = parser.parse_args()
    record = Record.named("serving", arguments)
    if not arguments.report:
        record.write(measure(arguments.rounds, arguments.seconds))
    write_page(record.page, report(record.read()))


if __name__ == "__main__":
    main()
