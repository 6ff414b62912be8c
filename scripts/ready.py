#!/usr/bin/env python3
"""Is the server ready? Asks each model for a real prediction: /ping says "Healthy" even while workers crash.

usage: scripts/ready.py NAME [NAME ...] [--url http://127.0.0.1:8080] [--wait 60] [--key-file key_file.json]

Exit status 0: every model answered 200. 1: not; the reason is on stderr. Fit for a readiness probe: exec:
{command: [python3, scripts/ready.py, cats, cats-explain]} A busy server answers late: give --timeout (default
5) more seconds than its longest queue takes, or it counts as not ready. Needs Python's standard library only.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

# A grey picture of 1 x 1 pixels: the graph runs as it does for any other.
PROBE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNoaGgAAAMEAYFL09IQAAAAAElFTkSuQmCC"
)


def problem(url: str, name: str, key: str | None, timeout: float) -> str | None:
    """Why a model is not ready, or None."""
    headers = {"Content-Type": "application/octet-stream"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(f"{url}/predictions/{name}", data=PROBE, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            answer.read()
            return None
    except urllib.error.HTTPError as error:
        with error:
            return f"{name} answered {error.code}: {error.read(300).decode(errors='replace')}"
    except (OSError, http.client.HTTPException) as error:
        return f"{name} gave no answer: {error}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument(
        "--wait", type=float, default=0, metavar="SECONDS", help="ask again until then (default: once)"
    )
    parser.add_argument(
        "--timeout", type=float, default=5, metavar="SECONDS", help="of one question (default 5)"
    )
    parser.add_argument("--key-file", type=Path, help="TorchServe's key_file.json, where tokens are on")
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.wait
    waiting = list(arguments.names)
    while True:
        problems = _problems(arguments, waiting)
        waiting = list(problems)
        if not waiting:
            return 0
        if time.monotonic() >= end:
            print("\n".join(f"not ready: {text}" for text in problems.values()), file=sys.stderr)
            return 1
        time.sleep(0.5)


def _problems(arguments: argparse.Namespace, names: list[str]) -> dict[str, str]:
    key = None
    if arguments.key_file:
        try:  # the server writes it when it starts
            key = json.loads(arguments.key_file.read_text())["inference"]["key"]
        except (OSError, ValueError, KeyError) as error:
            return dict.fromkeys(names, f"{arguments.key_file} holds no inference key: {error!r}")
    found = {name: problem(arguments.url, name, key, arguments.timeout) for name in names}
    return {name: text for name, text in found.items() if text}


if __name__ == "__main__":
    sys.exit(main())
