"""A site's address while a test runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smoothserve.cli.web.serving import site_server

# A page without a model, for tests of the module alone.
BLANK = "<!doctype html><title>blank</title><link rel='icon' href='data:,'>"


@contextmanager
def served(folder: Path, isolated: bool = True) -> Iterator[str]:
    """The address of a folder."""
    with site_server(folder, 0, isolated) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
