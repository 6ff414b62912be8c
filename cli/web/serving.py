"""A server for one folder, on loopback: with the headers that let a page use several threads."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ..errors import UsageError

# Some systems' tables have others, with which a browser runs neither.
_TYPES = {".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm"}


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, isolated: bool, **settings: Any) -> None:
        self._isolated = isolated
        super().__init__(*arguments, **settings)

    def guess_type(self, path: Any) -> str:
        return _TYPES.get(Path(path).suffix) or super().guess_type(path)

    def end_headers(self) -> None:
        if self._isolated:
            self.send_header("Cross-Origin-Opener-Policy", "same-origin")
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing: the terminal shows the address alone."""


def site_server(folder: Path, port: int, isolated: bool = True) -> ThreadingHTTPServer:
    """A server of ``folder`` on 127.0.0.1, which listens already; ``serve_forever`` answers.

    Args:
        folder: what to serve.
        port: 0 takes a free one.
        isolated: send the headers without which a page has one thread.

    Raises:
        UsageError: the port is taken.
    """
    handler = partial(_Handler, directory=str(folder), isolated=isolated)
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UsageError(f"Port {port} cannot be used: {error}. Give another: --serve PORT.") from error
