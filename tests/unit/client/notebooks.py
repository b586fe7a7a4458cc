"""Cells of notebooks, run as a notebook runs them: where the source of their functions can be read."""

from __future__ import annotations

import json
import linecache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def code_of(path: Path) -> list[str]:
    """The code cells of a notebook."""
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def run_cell(source: str, name: str, seen: dict[str, Any]) -> None:
    """Run a cell among what the cells before it have named."""
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), seen)
