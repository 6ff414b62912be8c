"""Shared fixtures: real photos, and one real network, exported once."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import skimage
import smoothserve.cli  # noqa: F401 - asks for memory in large pages, before PyTorch is imported
import torch
from filelock import FileLock
from hypothesis import settings
from PIL import Image

from tests.server.kserve import KServe, missing
from tests.server.ray import RayServe
from tests.server.torchserve import TorchServe

if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)  # workers side by side would fight for the cores

settings.register_profile("without a clock", deadline=None)  # a busy machine is no wrong result
settings.load_profile("without a clock")

SAMPLES = 4


@pytest.fixture(scope="session")
def photos() -> dict[str, Path]:
    """A cat (classes 281-285) and a cup of espresso (967), from the scikit-image package."""
    data = Path(skimage.__file__).parent / "data"
    return {"chelsea": data / "chelsea.png", "coffee": data / "coffee.png"}


@pytest.fixture(scope="session")
def cat_jpeg(photos: dict[str, Path]) -> bytes:
    buffer = io.BytesIO()
    Image.open(photos["chelsea"]).save(buffer, format="JPEG", quality=92)
    return buffer.getvalue()


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A file that takes long to make, for all of pytest's workers: the first that wants it makes it."""
    own = factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "made-once"
    folder.mkdir(exist_ok=True)
    path = folder / name
    with FileLock(folder / f"{name}.lock"):
        if not path.exists():
            make(path)
    return path


def _exported(factory: pytest.TempPathFactory, name: str, *options: str) -> Path:
    """EfficientNet-Lite0 with its ImageNet weights, as the command exports it."""
    from smoothserve.cli.main import main

    def export(path: Path) -> None:
        assert main(["export", "efficientnet-lite0", "-o", str(path), *options]) == 0

    return made_once(factory, name, export)


@pytest.fixture(scope="session")
def lite0_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network with SmoothDiff."""
    return _exported(tmp_path_factory, "lite0.onnx", "--samples", str(SAMPLES))


@pytest.fixture(scope="session")
def gradient_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network with its plain gradient, Grad-CAM and LRP in the same graph."""
    also = ("--also", "gradcam", "--also", "lrp")
    return _exported(tmp_path_factory, "gradient.onnx", "--method", "gradient", *also)


@pytest.fixture(scope="session")
def archive(lite0_onnx: Path, gradient_onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both files in one archive, store/lite0.mar, whose server batches up to 4 requests."""
    from smoothserve.export import to_archive

    store = tmp_path_factory.mktemp("server") / "store"
    return to_archive([lite0_onnx, gradient_onnx], "lite0", store=store, batch_size=4, max_batch_delay=100)


@pytest.fixture(scope="session")
def server(archive: Path) -> Iterator[TorchServe]:
    """A TorchServe with the archive, registered once."""
    with TorchServe(archive.parents[1], "lite0", together=True) as running:
        yield running


@pytest.fixture(scope="session")
def kserve(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KServe]:
    """A KServe ModelServer with the archive."""
    needs_kserve()
    with KServe(tmp_path_factory.mktemp("kserve"), [str(archive)]) as running:
        yield running


@pytest.fixture(scope="session")
def rayserve(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayServe]:
    """A Ray Serve with the archive, started by the command."""
    options = ["--threads", "1", "--max-queued", "24"]
    with RayServe(tmp_path_factory.mktemp("ray"), [str(archive)], options) as running:
        yield running


def needs_kserve() -> None:
    """Fail if its environment is not there: scripts/test.sh makes it."""
    if reason := missing():
        pytest.fail(f"KServe's server is not installed: {reason}")


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    torch.manual_seed(0)


_SLOW = {
    "lite0_onnx",
    "gradient_onnx",
    "archive",
    "packed",
    "server",
    "kserve",
    "rayserve",
    "keyed",
    "nodes",
    "attacked",
    "production",
    "triton",
    "cpp",
    "sanitized",
}  # fixtures that export a network, start a server or compile
_ONE_SERVER = (
    "test_server.py",
    "test_conformance.py",
    "test_hostile.py",
    "test_soak.py",
    "test_kserve.py",
    "test_kserve_mistakes.py",
    "test_ray.py",
)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow. With ``--dist loadgroup`` a file's tests stay together, except the sweep's."""
    for item in items:
        if not _SLOW.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
        if item.path.name != "test_zoo.py":
            group = "server" if item.path.name in _ONE_SERVER else item.path.name
            if item.path.parent.name == "triton":
                group = "triton"
            item.add_marker(pytest.mark.xdist_group(group))
