"""Tutorials as a reader follows them: the files that they have saved, and the commands that they have run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.unit.docs.pages import ROOT, blocks

if TYPE_CHECKING:
    from pathlib import Path

TUTORIALS = ROOT / "docs" / "tutorials"
REGISTRY, VERSION = "registry.example.com/tuning-operator", "0.1.0"
_NAME = re.compile(r"# ([\w.-]+\.(?:py|yaml))\n")


def save(page: Path, folder: Path, *, images: str = "") -> list[str]:
    """Write the files of a page into a folder, with images of another registry if need be; returns their names."""
    names = []
    for block in blocks(page, "python", "yaml", "json"):
        found = _NAME.match(block.text)
        name = found[1] if found else "request.json" if block.language == "json" else ""
        if name:
            text = block.text
            if images:
                text = re.sub(rf"{re.escape(REGISTRY)}/(\w+):{re.escape(VERSION)}", rf"{images}/\1:dev", text)
            (folder / name).write_text(text)
            names.append(name)
    return names


def commands(page: Path) -> list[str]:
    """The commands of a page in their order."""
    text = "".join(block.text for block in blocks(page, "console"))
    return re.findall(r"^\$ (.*)$", text.replace("\\\n", " "), re.MULTILINE)
