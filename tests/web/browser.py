"""The module in a real Chromium, asked many questions at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .node import run
from .serving import served

# In software, which every machine has.
WEBGPU = ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader"]


def answers(
    folder: Path,
    questions: list[dict[str, Any]],
    work: Path,
    *,
    isolated: bool = True,
    worker: bool = False,
    flags: Sequence[str] = (),
    complaint: str | None = None,
    seconds: float = 300,
    **options: Any,
) -> Any:
    """What the module says in a page of ``folder``.

    Args:
        folder: a site, with the photos that the questions name.
        questions: of model, photo and target.
        work: a folder for files on the way.
        isolated: whether the page may use several threads.
        worker: whether the module runs in one.
        flags: of the browser.
        complaint: the only words that the browser may complain with.
        seconds: to wait at most.
        options: of loading a model.

    Raises:
        AssertionError: it failed, or the browser complained.
    """
    with served(folder, isolated) as address:
        given = {
            "address": address, "questions": questions, "options": options, "worker": worker,
            "flags": list(flags),
        }  # fmt: skip
        found = run("browser.mjs", given, work, seconds)
    assert [text for text in found["complaints"] if not complaint or complaint not in text] == []
    return found
