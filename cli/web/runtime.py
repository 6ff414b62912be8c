"""ONNX Runtime for browsers, in the version that was tested: its files, from a folder or by npm."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..progress import note, step

PACKAGE = "onnxruntime-web"
# A module, and what it loads: of the first pair the processor's, of the second WebGPU's.
FILES = (
    "ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm",
    "ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm",
)  # fmt: skip
_ABOUT = ("package.json", "README.md")  # whose it is, and its licence


@contextmanager
def runtime(given: Path | None) -> Iterator[dict[str, Path]]:
    """The files to copy, by name; those that npm fetched are there inside of the context only.

    Args:
        given: a folder that holds them, the package onnxruntime-web or its ``dist``; None: npm fetches them.

    Raises:
        UsageError: some are missing there; or there is no npm, or it failed.
    """
    if given is not None:
        yield _found(given)
        return
    with tempfile.TemporaryDirectory() as folder:
        with step(f"fetching {PACKAGE} {wanted()['version']} with npm"):
            package = _fetched(Path(folder))
        yield _found(package)


def wanted() -> dict[str, Any]:
    """Version and digest of the package, as the module's lock file has them."""
    lock = json.loads((files("smoothserve.web") / "package-lock.json").read_text())
    entry: dict[str, Any] = lock["packages"][f"node_modules/{PACKAGE}"]
    return entry


def _found(folder: Path) -> dict[str, Path]:
    dist = next((path for path in (folder / "dist", folder) if (path / FILES[0]).is_file()), folder)
    missing = [name for name in FILES if not (dist / name).is_file()]
    if missing:
        raise UsageError(
            f"{folder} has no {missing[0]}: expected the npm package {PACKAGE} or its folder dist. "
            f"'npm install {PACKAGE}@{wanted()['version']}' puts it into node_modules/{PACKAGE}."
        )
    about = {name: dist.parent / name for name in _ABOUT if (dist.parent / name).is_file()}
    if "package.json" in about:
        version = json.loads(about["package.json"].read_text()).get("version")
        if version != wanted()["version"]:
            note(f"note: {folder} is {PACKAGE} {version}; {wanted()['version']} is what was tested")
    return {**{name: dist / name for name in FILES}, **about}


def _fetched(folder: Path) -> Path:
    """The package, unpacked into ``folder``."""
    entry = wanted()
    source = f"{PACKAGE}@{entry['version']}"
    npm = shutil.which("npm")
    if npm is None:
        raise UsageError(
            f"A site holds ONNX Runtime for browsers ({source}, 41 MB), which npm fetches, and npm is not "
            "installed. Install Node (Debian, Ubuntu: apt-get install npm); or fetch it elsewhere with 'npm "
            f"install {source}', and name the folder: --ort node_modules/{PACKAGE}."
        )
    done = subprocess.run(
        [npm, "pack", source, "--prefer-offline", "--ignore-scripts", "--pack-destination", str(folder)],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    archives = list(folder.glob("*.tgz"))
    if done.returncode or not archives:
        reason = done.stderr.strip().splitlines() or ["no reason given"]
        raise UsageError(
            f"npm could not fetch {source}: {reason[0]} Without a network, name a folder that holds it: "
            f"--ort node_modules/{PACKAGE}."
        )
    content = archives[0].read_bytes()
    digest = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
    if digest != entry["integrity"]:
        raise UsageError(
            f"npm fetched another {source} than was tested: its digest is {digest}, expected "
            f"{entry['integrity']}. Is npm set to another registry? (npm config get registry)"
        )
    with tarfile.open(archives[0]) as archive:
        for name in (*(f"dist/{file}" for file in FILES), *_ABOUT):
            path = folder / "package" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            member = archive.extractfile(f"package/{name}")
            if member is None:
                raise UsageError(f"{source} has no {name}.")
            with path.open("wb") as file:
                shutil.copyfileobj(member, file)
    return folder / "package"
