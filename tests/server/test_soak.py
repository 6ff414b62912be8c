"""Under load for a while: memory of what answers stays flat, in TorchServe and in Ray.

SOAK_SECONDS makes it longer (default 60; 90 with scripts/test.sh --full).
"""

from __future__ import annotations

import os
import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.full import FULL
from tests.server.conformance import Server
from tests.server.ray import RayServe
from tests.server.torchserve import TorchServe

SECONDS = float(os.environ.get("SOAK_SECONDS", "90" if FULL else "60"))
GROWTH = 1.05  # of the last third over the second third; the first warms caches and arenas up
FRONTEND_GROWTH = 1.15  # Java's heap breathes


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kilobytes) / 1024


def check_flat(
    server: Server, limits: dict[str, tuple[int, float]], cat_jpeg: bytes, photos: dict[str, Path]
) -> None:
    """Ask for a while, and see that the processes grow no more.

    Args:
        server: asked by four clients.
        limits: name -> process id, and by how much the last third may lie above the second.
        cat_jpeg, photos: the fixtures.
    """
    coffee = photos["coffee"].read_bytes()
    requests = [
        ("/predictions/lite0", cat_jpeg, {}, 200),
        ("/explanations/lite0", coffee, {}, 200),
        ("/explanations/lite0", cat_jpeg, {"X_Output": "overlay", "X_Size": "500"}, 200),
        ("/explanations/lite0", cat_jpeg, {"X_Method": "gradient", "X_Array": "true"}, 200),
        ("/predictions/lite0", cat_jpeg[:3000], {}, 400),
        ("/explanations/lite0", coffee, {"X_Target": "5000"}, 400),
    ]
    end = time.monotonic() + SECONDS
    answered: list[bool] = []

    def ask(number: int) -> None:
        while time.monotonic() < end:
            path, body, headers, wanted = requests[(len(answered) + number) % len(requests)]
            answered.append(server.post(path, body, **headers)[0] == wanted)

    samples: dict[str, list[float]] = {name: [] for name in limits}
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(ask, number) for number in range(4)]
        while time.monotonic() < end:
            for name, (pid, _) in limits.items():
                samples[name].append(resident_mb(pid))
            time.sleep(0.5)
        for future in futures:
            future.result()
    assert all(answered)
    assert len(answered) > SECONDS / 2
    for name, (_, growth) in limits.items():
        third = len(samples[name]) // 3
        before, after = map(statistics.median, (samples[name][third : 2 * third], samples[name][2 * third :]))
        print(f"{name}: {before:.0f} MB, then {after:.0f} MB after {len(answered)} answers")
        assert after <= before * growth, f"{name} grew from {before:.0f} to {after:.0f} MB"


@pytest.mark.timeout(SECONDS + 300)
def test_memory_is_flat(server: TorchServe, cat_jpeg: bytes, photos: dict[str, Path]) -> None:
    worker = int(server.workers()[0]["pid"])
    frontend = int((server.run / ".model_server.pid").read_text())
    limits = {"worker": (worker, GROWTH), "frontend": (frontend, FRONTEND_GROWTH)}
    check_flat(server, limits, cat_jpeg, photos)
    assert int(server.workers()[0]["pid"]) == worker, "the worker was replaced"


@pytest.mark.timeout(SECONDS + 300)
def test_memory_of_ray_is_flat(rayserve: RayServe, cat_jpeg: bytes, photos: dict[str, Path]) -> None:
    replicas = rayserve.replicas()
    assert set(replicas.values()) == {"ingress", "lite0-predictions", "lite0-explanations"}
    check_flat(rayserve, {name: (pid, GROWTH) for pid, name in replicas.items()}, cat_jpeg, photos)
    assert rayserve.replicas() == replicas, "one was replaced"
