"""The file in C++: clients/cpp and its program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tests.clients.programs import ROOT, Programs, run
from tests.golden.read import Case

from .runtime import Answer, Runtime


class Cpp(Runtime):
    names = ("C++",)

    def missing(self) -> str | None:
        built = run([ROOT / "scripts" / "cpp.sh", "--build", ROOT / "build" / "cpp", "all"])
        return built.stderr.strip() if built.returncode else None

    def version(self) -> str:
        linked = run(["ldd", ROOT / "build" / "cpp" / "smoothserve-cpp"]).stdout
        library = re.search(r"libonnxruntime\S* => (\S+)", linked)
        assert library is not None, linked
        return f"ONNX Runtime {Path(library[1]).resolve().name.partition('.so.')[2]}"

    def answers(self, model: Path, cases: Sequence[Case], work: Path) -> Mapping[str, Sequence[Answer]]:
        program = Programs(ROOT / "build" / "cpp")
        found = []
        for case in cases:
            array = work / f"{case.name}.npy"
            aim = [] if case.target is None else ["--target", str(case.target)]
            said = program.answer(model, case.photo, *aim, "--array", array)["explained"]
            found.append(Answer(said["class"], said["probability"], np.load(array)))
        return {"C++": found}
