"""Under load for a while: memory of the worker and of the frontend stays flat.

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
from tests.server.torchserve import TorchServe

SECONDS = float(os.environ.get("SOAK_SECONDS", "90" if FULL else "60"))
GROWTH = 1.05  # of the last third over the second third; the first warms caches and arenas up
FRONTEND_GROWTH = 1.15  # Java's heap breathes


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", status)
    return int(kilobytes) / 1024


@pytest.mark.timeout(SECONDS + 300)
def test_memory_is_flat(server: TorchServe, cat_jpeg: bytes, photos: dict[str, Path]) -> None:
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

    worker = int(server.workers()[0]["pid"])
    frontend = int((server.run / ".model_server.pid").read_text())
    samples: list[tuple[float, float]] = []
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(ask, number) for number in range(4)]
        while time.monotonic() < end:
            samples.append((resident_mb(worker), resident_mb(frontend)))
            time.sleep(0.5)
        for future in futures:
            future.result()
    assert all(answered)
    assert len(answered) > SECONDS / 2
    assert int(server.workers()[0]["pid"]) == worker, "the worker was replaced"
    third = len(samples) // 3
    for index, (name, limit) in enumerate((("worker", GROWTH), ("frontend", FRONTEND_GROWTH))):
        before, after = (
            statistics.median(sample[index] for sample in part)
            for part in (samples[third : 2 * third], samples[2 * third :])
        )
        print(f"{name}: {before:.0f} MB, then {after:.0f} MB after {len(answered)} answers")
        assert after <= before * limit, f"{name} grew from {before:.0f} to {after:.0f} MB"
