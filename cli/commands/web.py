"""smoothserve web: exported files in, a folder for any web server out."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import UsageError
from ..progress import note, step
from ..web.runtime import runtime
from ..web.serving import site_server
from ..web.site import SiteModel, check_output, write_site

NAME = "web"
HELP = "make a folder for any web server: a page that explains photos in the browser"
DESCRIPTION = """\
Make a static site: a page that predicts and explains photos in the reader's browser, the JavaScript
module, ONNX Runtime for WebAssembly and WebGPU, and the models. Photos stay on the reader's device."""
EXAMPLES = """\
examples:
  smoothserve web model.onnx -o site/ --serve
  smoothserve web smoothdiff.onnx gradient.onnx -o site/
  python -m http.server -d site/          # any server does; several threads need two headers, see --serve
"""
_PORT = 8000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models",
        type=Path,
        nargs="+",
        metavar="MODEL.onnx",
        help="from 'smoothserve export'; the page lets readers choose",
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("site"), metavar="DIR",
        help="the folder to make; one that this command made is replaced (default: site)",
    )  # fmt: skip
    parser.add_argument(
        "--ort", type=Path, metavar="DIR",
        help="the npm package onnxruntime-web, unpacked (default: npm fetches it)",
    )  # fmt: skip
    parser.add_argument(
        "--serve", type=int, nargs="?", const=_PORT, metavar="PORT",
        help=f"then serve it at http://127.0.0.1:PORT (default {_PORT}) until interrupted, with the headers "
        "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, without "
        "which a page has one thread",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    check_output(arguments.output)
    for path in arguments.models:
        _check_file(path)
    with runtime(arguments.ort) as files:
        models = [_verified(path) for path in arguments.models]
        with step(f"writing {arguments.output}"):
            write_site(models, files, arguments.output)
    print(arguments.output)
    if arguments.serve is not None:
        with site_server(arguments.output, arguments.serve) as server:
            note(f"open http://127.0.0.1:{server.server_port} (Ctrl-C ends)")
            server.serve_forever()
    return 0


def _check_file(path: Path) -> None:
    """Raise UsageError unless the model is there, and in one file."""
    if not path.is_file():
        raise UsageError(f"{path} does not exist. Make one with 'smoothserve export MODEL -o {path}'.")
    if any(path.parent.glob(f"{path.name}.*.data")):
        raise UsageError(f"{path} has its weights in a second file: it is larger than a browser can load.")


def _verified(path: Path) -> SiteModel:
    """The model, which keeps its contract."""
    from smoothserve.export import check_contract

    with step(f"verifying {path}"):
        contract = check_contract(path)
    return SiteModel(path, contract.card)
