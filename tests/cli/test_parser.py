"""Mistakes in names and flags: two lines, and what was probably meant."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from smoothserve.cli.commands import COMMANDS
from smoothserve.cli.main import build_parser, main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["exprot"], "smoothserve: error: argument COMMAND: 'exprot' is not known; did you mean 'export'"),
        (["export", "m", "-o", "m.onnx", "--method", "smoothgard"], "did you mean 'SmoothGrad'"),
        (["export", "m", "-o", "m.onnx", "--base", "gradeint"], "did you mean 'Gradient'"),
        (["export", "m", "-o", "m.onnx", "--sampels", "3"], "--sampels 3; did you mean '--samples'"),
        (["export", "m", "-o", "m.onnx", "--interpolation", "cubic"], "did you mean 'bicubic'"),
        (["export", "m", "-o", "m.onnx", "--activation", "relu"], "There are: softmax, sigmoid, none."),
        (["export", "m", "-o", "m.onnx", "--size", "224,224"], "expected a size such as 192 or 192x256"),
        (["export", "m"], "the following arguments are required: -o/--output"),
        (["export"], "the following arguments are required: MODEL, -o/--output"),
    ],
)  # fmt: skip
def test_wrong_usage_is_two_lines(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert words in lines[0]
    assert lines[1].endswith(" --help'")


@pytest.mark.parametrize("path", ["out/x", "x.pth", "."])
def test_the_file_to_write_is_looked_at_first(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "torchvision:resnet18", "-o", path]) == 1
    said = capsys.readouterr().err
    assert "a name that ends in .onnx" in said
    assert "loading" not in said


@pytest.mark.parametrize("command", ["compare", "evaluate", "explain"])
def test_options_may_stand_between_names(command: str) -> None:
    """As the help of these commands writes them."""
    names = ["model.onnx", "cat.jpg", "dog.jpg"]
    output = ["-o", "out.html"]
    found = [
        build_parser().parse_args([command, *words])
        for words in (
            [*names, *output],
            [*output, *names],
            [names[0], *output, *names[1:]],
            [*names[:2], *output, names[2]],
        )
    ]
    assert all(vars(each) == vars(found[0]) for each in found)
    assert found[0].paths == names


def test_every_example_of_a_help_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of examples are commands; '...' stands for words that they leave out."""
    monkeypatch.chdir(tmp_path)
    Path("blurred.png").touch()  # a baseline, which has to exist
    count = 0
    for command in COMMANDS:
        text = command.EXAMPLES.replace("\\\n", " ")
        for line in text.splitlines():
            if not line.strip().startswith("smoothserve "):
                continue
            words = shlex.split(line, comments=True)
            if {"|", "&&", ">", "...", "help"} & set(words):
                continue
            build_parser().parse_args(words[1:])
            count += 1
    assert count > 20
