#!/usr/bin/env python3
"""Writes the colour maps of cmcrameri (Fabio Crameri's) where pictures are drawn without that package.

usage: scripts/colormaps.py     (needs cmcrameri, which the extra dev brings)

Every fifth of a map's 256 colours, the first and the last among them, as 8 bits a channel. Linear between
them, they are within one of 256 levels of the whole table; tests/handlers/test_colormaps.py holds them to it.
"""

from __future__ import annotations

import textwrap
from importlib.metadata import files
from pathlib import Path

import numpy as np
from cmcrameri import cm

ROOT = Path(__file__).parents[1]
SEQUENTIAL = ("batlow",)
DIVERGING = ("vik", "berlin", "roma_r")  # from against, cool, to for, warm
STEP = 5


def anchors(name: str) -> list[str]:
    """Colours such as ``011959``, evenly spaced."""
    table = np.round(np.asarray(getattr(cm, name).colors)[::STEP, :3] * 255).astype(np.uint8)
    return [bytes(colour).hex() for colour in table]


def licence() -> list[str]:
    """Lines of the package's licence, which has to go with its data."""
    (found,) = (path for path in files("cmcrameri") or () if path.name.upper().startswith("LICENSE"))
    return found.read_text().strip().splitlines()


def commented(mark: str) -> str:
    title = "Colour maps of Fabio Crameri, every fifth colour. Written by scripts/colormaps.py; do not edit."
    return "\n".join(f"{mark} {line}".rstrip() for line in [title, "", *licence()]) + "\n"


def rows(name: str, width: int) -> list[str]:
    """Colours, as many in a line as fit."""
    return textwrap.wrap(" ".join(anchors(name)), width)


def python() -> str:
    text = '"""Colour maps of Fabio Crameri, every fifth colour, linear between them."""\n\n' + commented("#")
    for kind, names in (("SEQUENTIAL", SEQUENTIAL), ("DIVERGING", DIVERGING)):
        text += f"\n{kind} = {{\n"
        for name in names:
            lines = rows(name, 97)
            quoted = "\n".join(f'        "{line} "' for line in lines[:-1])
            text += f'    "{name}": (\n{quoted}\n        "{lines[-1]}"\n    ),\n'
        text += "}\n"
    return text


def javascript() -> str:
    text = commented("//")
    for kind, names in (("SEQUENTIAL", SEQUENTIAL), ("DIVERGING", DIVERGING)):
        text += f"\nexport const {kind} = {{\n"
        for name in names:
            lines = rows(name, 97)
            quoted = "".join(f'\n    "{line} " +' for line in lines[:-1])
            text += f'  {name}:{quoted}\n    "{lines[-1]}",\n'
        text += "};\n"
    return text


def cpp() -> str:
    text = (
        commented("//")
        + "#pragma once\n\n#include <cstdint>\n#include <vector>\n\nnamespace smoothserve::crameri {\n"
    )
    for name in (*SEQUENTIAL, *DIVERGING):
        colours = ", ".join(f"0x{colour}" for colour in anchors(name))
        body = "\n".join(f"    {line}" for line in textwrap.wrap(colours, 100))
        text += f"\n// 0xRRGGBB\ninline const std::vector<std::uint32_t> {name} = {{\n{body}}};\n"
    return text + "\n}  // namespace smoothserve::crameri\n"


FILES = {
    ROOT / "handlers/images/crameri.py": python,
    ROOT / "clients/web/src/crameri.js": javascript,
    ROOT / "clients/cpp/src/crameri.h": cpp,
}


if __name__ == "__main__":
    for path, text in FILES.items():
        path.write_text(text())
