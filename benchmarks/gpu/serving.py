"""The service on the device: photos as JPEG in, heatmaps out; in one process, and behind Ray Serve.

What the other benchmarks of servers need is imported where it is used: a bare host may lack it.
"""

from __future__ import annotations

import argparse
import io
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from smoothserve.export import to_onnx
from smoothserve.handlers.limits import Limits
from smoothserve.handlers.protocols import read_request
from smoothserve.handlers.service import ExplanationService

from . import files

_SECONDS = 4.0
_BATCH = 8


def measure(arguments: argparse.Namespace, _: str) -> Iterator[dict[str, Any]]:
    """Percentiles and throughput, for predictions and explanations of the first network."""
    photo = _photo()
    path = arguments.out / "served.onnx"
    to_onnx(files.model(arguments.networks[0], "SmoothDiff"), path, runs_on="gpu", fast=True)
    rows = _of_service(path, arguments.device, photo)
    has_ray = find_spec("ray") is not None and not arguments.few
    yield {"rows": rows, "refused": {} if has_ray else {"Ray Serve": "not installed, or --few"}}
    if has_ray:
        yield {"rows": rows + _of_ray(path, arguments.device, photo)}


def _photo() -> bytes:
    """As large as a photo from a page, smooth, with some texture."""
    generator = np.random.default_rng(0)
    coarse = Image.fromarray(generator.integers(0, 255, (12, 16, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize((640, 480), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _of_service(path: Path, device: str, photo: bytes) -> list[dict[str, Any]]:
    from ..engines import load
    from ..serving import summary

    service = ExplanationService([path], device=device, limits=Limits(batch=_BATCH))
    rows = []
    for explain in (False, True):
        for batch in (1, _BATCH):

            def call(explain: bool = explain, batch: int = batch) -> None:
                asked = [read_request({"body": photo}, {}, explain, service.offer) for _ in range(batch)]
                assert all(answer.status == 200 for answer in service.answer(asked))

            call()
            before, start = _processors(), time.perf_counter()
            taken = load(lambda call=call: call, _SECONDS, 1)
            wall = time.perf_counter() - start
            rows.append(
                {
                    "server": "in one process", "kind": "explanations" if explain else "predictions",
                    "clients": 1, "batch": batch, **summary(taken),
                    "per_second": round(batch * len(taken) / wall, 1),
                    "processors": round((_processors() - before) / wall, 2),
                }
            )  # fmt: skip
    return rows


def _processors() -> float:
    """Seconds of all cores that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _of_ray(path: Path, device: str, photo: bytes) -> list[dict[str, Any]]:
    from tests.server.ray import RayServe

    from ..engines import load
    from ..serving import Client, summary

    options = ["--device", device, "--batch-size", str(_BATCH)]
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        RayServe(Path(folder), [f"ours={path}"], options) as server,
    ):
        for kind in ("predictions", "explanations"):

            def client(kind: str = kind) -> Callable[[], Any]:
                own = Client(server)
                return lambda: own.ask(f"/{kind}/ours", photo)

            client()()
            for clients in (1, 16):
                taken = load(client, _SECONDS, clients)
                rows.append(
                    {
                        "server": "Ray Serve", "kind": kind, "clients": clients, "batch": _BATCH,
                        **summary(taken), "per_second": round(len(taken) / _SECONDS, 1),
                    }
                )  # fmt: skip
    return rows
