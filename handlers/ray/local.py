"""A Ray of one's own on this machine: on loopback, in a folder of its own, and gone without a trace."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .loopback import SWITCH
from .supervision import end_descendants

_HOST = "127.0.0.1"
_OBJECT_STORE = 200_000_000  # bytes: bodies and answers above 100 kB on their way
_LONGEST = 40  # characters: Ray adds 66, and the path of a Unix socket has at most 107
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
    """Start Ray; end every process of it, and remove its files, in the end.

    Args:
        folder: from :func:`own_folder`.
        cpus: that Ray gives to replicas, which is its book-keeping alone.
    """
    import ray

    try:
        ray.init(
            address="local",
            num_cpus=cpus,
            object_store_memory=_OBJECT_STORE,
            include_dashboard=False,
            logging_level=logging.WARNING,
            _node_ip_address=_HOST,
            _temp_dir=str(folder),
        )
        yield
    finally:
        with contextlib.suppress(KeyboardInterrupt):  # a second signal: it ends anyway, and faster
            ray.shutdown()
        end_descendants()
        shutil.rmtree(folder, ignore_errors=True)


def _short_folder() -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):
        folder = tempfile.mkdtemp(prefix="ray-", dir=parent)
        if len(folder) <= _LONGEST:
            return Path(folder)
        Path(folder).rmdir()
    return Path(tempfile.mkdtemp(prefix="ray-"))
