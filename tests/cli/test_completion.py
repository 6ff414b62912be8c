"""TAB completes commands, flags, names and files: asked of an interactive bash."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from smoothserve.cli.completion import SHELLS, completion_script
from smoothserve.cli.main import build_parser, main


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "smoothserve.bash"
    path.write_text(completion_script(build_parser(), "bash"))
    return path


PROMPT = "\nnext>"  # readline draws only its last line again, so the whole of it means a new prompt


def completed(line: str, script: Path, folder: Path) -> str:
    """What the line is after TAB: typed into bash at a terminal, then turned into an argument of echo.

    Each line is typed once bash asks for it: what comes before readline has set up the terminal can be lost.
    """
    begin, end, tab, enter = "\x01", "\x05", "\t", "\n"  # the first two: Ctrl-A and Ctrl-E, as Emacs has them
    terminal, inside = pty.openpty()
    settings = {"TERM": "dumb", "PS1": PROMPT, "INPUTRC": "/dev/null", "HISTFILE": "/dev/null"}
    shell = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"],
        stdin=inside, stdout=inside, stderr=inside, cwd=folder, env={**os.environ, **settings},
        start_new_session=True,
    )  # fmt: skip
    os.close(inside)
    shown = b""
    for typed in (f"source {script}", f"{line}{tab}{begin}echo 'RESULT<{end}>'", "exit"):
        shown += read_until(terminal, PROMPT.replace("\n", "\r\n").encode())
        os.write(terminal, (typed + enter).encode())
    with contextlib.suppress(OSError):  # how Linux says that the terminal was closed
        while os.read(terminal, 4096):
            pass
    os.close(terminal)
    assert shell.wait(timeout=20) == 0
    found = re.findall(r"^RESULT<(.*)>\r?$", shown.decode(), flags=re.MULTILINE)
    assert len(found) == 1, shown
    return found[0]


def read_until(terminal: int, last: bytes) -> bytes:
    """What the terminal shows, until it waits behind these bytes; OSError where it is closed before."""
    shown = b""
    while not shown.endswith(last):
        shown += os.read(terminal, 4096)
    return shown


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("smoothserve exp", "smoothserve exp"),  # export or explain
        ("smoothserve expo", "smoothserve export "),
        ("smoothserve ver", "smoothserve verify "),
        ("smoothserve export m --meth", "smoothserve export m --method "),
        ("smoothserve export m --method smo", "smoothserve export m --method smooth"),  # three of them
        ("smoothserve export m --method smoothd", "smoothserve export m --method smoothdiff "),
        ("smoothserve export m --method Smo", "smoothserve export m --method Smooth"),
        ("smoothserve export m --method SmoothD", "smoothserve export m --method SmoothDiff "),
        ("smoothserve archive m n --also Gradi", "smoothserve archive m n --also Gradient "),
        ("smoothserve archive m n --base integ", "smoothserve archive m n --base integratedgradients "),
        ("smoothserve export m --act", "smoothserve export m --activation "),
        ("smoothserve export m --activation sig", "smoothserve export m --activation sigmoid "),
        ("smoothserve explain m p --colormap vir", "smoothserve explain m p --colormap viridis "),
        ("smoothserve comp", "smoothserve comp"),  # compare or completion
        ("smoothserve compare m p --methods smoothd", "smoothserve compare m p --methods smoothdiff "),
        ("smoothserve compare mod", "smoothserve compare model.onnx "),
        ("smoothserve verify mod", "smoothserve verify model.onnx "),
        ("smoothserve export m -o mod", "smoothserve export m -o model.onnx "),
        ("smoothserve completion z", "smoothserve completion zsh "),
    ],
)
def test_tab(line: str, wanted: str, script: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    assert completed(line, script, tmp_path) == wanted


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_of_the_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "integratedgradients" in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    done = subprocess.run([program, "-n"], input=script, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_other_commands_do_not_load_it() -> None:
    code = "import sys, smoothserve.cli.main as m; m.build_parser(); assert 'shtab' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
