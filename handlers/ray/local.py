"""A Ray of one's own on this machine: on loopback, in a folder of its own, and gone without a trace."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from .loopback import SWITCH

HOST = "127.0.0.1"
_OBJECT_STORE = 200_000_000  # bytes: bodies and answers above 100 kB on their way
_LONGEST = 40  # characters: Ray adds 66, and the path of a Unix socket has at most 107
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_PATIENCE = 5  # s, for processes that are asked to end
_SETTINGS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # elsewhere, too: Ray would listen on every interface
    "RAY_AUTH_MODE": "token",
    SWITCH: "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",  # lines that are alike are not the same line
    "RAY_COLOR_PREFIX": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@contextlib.contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for all files, and settings that Ray reads when it is imported, which is to be done inside.

    Replicas unpack archives there, too; where one is killed, they go with the folder.
    """
    folder = _short_folder()
    os.environ.update(_SETTINGS, RAY_AUTH_TOKEN=secrets.token_hex(32), TMPDIR=str(folder))
    tempfile.tempdir = None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def local_ray(folder: Path, cpus: int) -> Iterator[None]:
    """Start Ray, and end every process of it in the end.

    Args:
        folder: from :func:`own_folder`.
        cpus: that Ray gives to replicas, which is its book-keeping alone.
    """
    import ray

    _adopt_orphans()
    try:
        ray.init(
            address="local",
            num_cpus=cpus,
            object_store_memory=_OBJECT_STORE,
            include_dashboard=False,
            logging_level=logging.WARNING,
            _node_ip_address=HOST,
            _temp_dir=str(folder),
        )
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # finish what is begun
        ray.shutdown()
        end_descendants()


def _adopt_orphans() -> None:
    """Let descendants whose parent ended become children of this process, where it finds them."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def end_descendants() -> None:
    """End every process that descends from this one, and wait for each: ask first, then insist."""
    this = psutil.Process()
    for end in (psutil.Process.terminate, psutil.Process.kill):
        left = this.children(recursive=True)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(process)
        psutil.wait_procs(left, timeout=_PATIENCE)


def _short_folder() -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):
        folder = tempfile.mkdtemp(prefix="ray-", dir=parent)
        if len(folder) <= _LONGEST:
            return Path(folder)
        Path(folder).rmdir()
    return Path(tempfile.mkdtemp(prefix="ray-"))
