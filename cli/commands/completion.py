"""smoothserve completion: a script for the shell, which then completes commands, flags and names."""

from __future__ import annotations

import argparse

from ..completion import SHELLS, completion_script

NAME = "completion"
HELP = "print a script that makes TAB complete commands, flags and names"
DESCRIPTION = """\
Print the script for your shell. TAB then starts no Python: the script knows all names."""
EXAMPLES = """\
bash, for this shell, and for every later one:
  source <(smoothserve completion bash)
  smoothserve completion bash > ~/.local/share/bash-completion/completions/smoothserve

zsh, where FOLDER is one of $fpath:
  smoothserve completion zsh > FOLDER/_smoothserve
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS)


def run(arguments: argparse.Namespace) -> int:
    from ..main import build_parser  # which imports this

    print(completion_script(build_parser(), arguments.shell))
    return 0
