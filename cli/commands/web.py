"""smoothserve web: exported files in, a folder for any web server out."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from smoothserve.export import WEIGHTS, check_contract, weight_files

from ..captions import note_first
from ..errors import UsageError
from ..files import check_exported
from ..progress import note, step
from ..web.runtime import runtime
from ..web.serving import site_server
from ..web.site import SiteModel, check_output, write_site
from ..web.smaller import write_smaller, write_whole

NAME = "web"
HELP = "make a folder for any web server: a page that explains photos in the browser"
DESCRIPTION = """\
Make a static site: a page that predicts and explains photos in the reader's browser, the JavaScript
module, ONNX Runtime for WebAssembly and WebGPU, and the models. Photos stay on the reader's device."""
EXAMPLES = """\
examples:
  smoothserve web model.onnx -o site/ --serve
  smoothserve web smoothdiff.onnx gradient.onnx -o site/ --weights float16
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
        "--weights", choices=WEIGHTS, default="float32",
        help="how the models' large weights are stored: float16 halves what a reader waits for, int8 "
        "quarters it; how far answers differ is measured and said (default: float32, unchanged)",
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
    if arguments.serve is not None and not 0 <= arguments.serve < 65536:
        raise UsageError(f"--serve {arguments.serve}: expected a port from 0 (any that is free) to 65535.")
    check_output(arguments.output)
    for path in arguments.models:
        _check_file(path)
    with runtime(arguments.ort) as files, tempfile.TemporaryDirectory() as folder:
        drafts = (Path(folder) / f"{number}.onnx" for number in range(len(arguments.models)))
        models = [
            _prepared(path, arguments.weights, draft)
            for path, draft in zip(arguments.models, drafts, strict=True)
        ]
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
    check_exported(path)
    if any(path.parent.glob(f"{path.name}.*.data")):
        raise UsageError(f"{path} has its weights in a second file: it is larger than a browser can load.")


def _prepared(path: Path, weights: str, draft: Path) -> SiteModel:
    """The model, which keeps its contract; smaller in ``draft`` if that is wanted."""
    with step(f"verifying {path}"):
        card = check_contract(path).card
    note_first(path, card)
    if weights == "float32":
        if not weight_files(path):
            return SiteModel(path, card, path.stem)
        write_whole(path, draft)
        return SiteModel(draft, card, path.stem)
    with step(f"storing {weights} weights"):
        difference = write_smaller(path, card, weights, draft)
    before, after = (file.stat().st_size / 1e6 for file in (path, draft))
    note(f"{path}: {before:.1f} MB with float32 weights, {after:.1f} with {weights}; {difference}")
    return SiteModel(draft, card, path.stem, weights, str(difference))
