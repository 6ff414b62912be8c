"""Hooks of the documentation: --help texts, tables of the schemas' fields."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDERS = ("api", "bulk", "explainers", "export", "handlers", "cli")
_HELP = re.compile(r"<!-- help: ([a-z -]*) -->")
_FIELDS = re.compile(r"<!-- fields: (\S+) -->")
_ROLE = re.compile(r":(?:func|class|mod|meth|attr):(<code>)")


def on_config(config: Any) -> Any:
    """Build again when a docstring changes."""
    config.watch.extend(str(ROOT / folder) for folder in FOLDERS)
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Put --help texts and tables of fields where a page asks for them."""
    markdown = _HELP.sub(lambda found: f"```text\n{help_text(found[1])}\n```", markdown)
    folder = Path(config["docs_dir"]) / Path(page.file.src_uri).parent
    return _FIELDS.sub(lambda found: fields_table(json.loads((folder / found[1]).read_text())), markdown)


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """Docstrings name things in Sphinx's way, :func:`name`; show the name."""
    return _ROLE.sub(r"\1", html)


def help_text(command: str) -> str:
    """What ``smoothserve COMMAND --help`` prints."""
    environment = {**os.environ, "COLUMNS": "90", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "smoothserve.cli.main", *command.split(), "--help"],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    return done.stdout.replace("main.py", "smoothserve").rstrip()


def fields_table(schema: dict[str, Any]) -> str:
    """A Markdown table of the schema's properties, nested ones with a dot."""
    rows = [f"| `{name}` | {kind} | {text} |" for name, kind, text in _fields(schema, schema, "")]
    return "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])


def _fields(
    schema: dict[str, Any], root: dict[str, Any], prefix: str, within: tuple[str, ...] = ()
) -> Iterator[tuple[str, str, str]]:
    """Name, type and meaning; a definition inside of itself is named, not repeated."""
    required = schema.get("required", [])
    for name, given in schema.get("properties", {}).items():
        reference = given.get("$ref", "")
        field = {**_referred(given, root), **given}
        optional = "" if name in required else ", optional"
        yield prefix + name, _kind(field) + optional, field.get("description", "").replace("|", "\\|")
        if not reference or reference not in within:
            yield from _fields(field, root, f"{prefix}{name}.", (*within, reference))


def _referred(field: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    reference: str = field.get("$ref", "")
    found: dict[str, Any] = root["$defs"][reference.rpartition("/")[2]] if reference else {}
    return found


def _kind(field: dict[str, Any]) -> str:
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return " or ".join(f"`{json.dumps(value)}`" for value in field["enum"])
    kinds = field.get("type", "any")
    return " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
