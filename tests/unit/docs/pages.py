"""The documentation as data: its pages, their code blocks and tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A code block and where it begins."""

    page: str
    line: int
    language: str
    text: str


def pages() -> list[Path]:
    """All Markdown files of the project; what lies in hidden folders is somebody else's."""
    found = (path for path in ROOT.rglob("*.md") if not any(part.startswith(".") for part in path.parts))
    return sorted(path for path in found if "node_modules" not in path.parts)


def blocks(path: Path, *languages: str) -> Iterator[Block]:
    """The code blocks of a page in these languages, without the indentation of a list that they stand in."""
    text = path.read_text()
    for match in _FENCE.finditer(text):
        indent, language, body = match.groups()
        if language in languages:
            line = text.count("\n", 0, match.start()) + 1
            yield Block(str(path.relative_to(ROOT)), line, language, re.sub(f"^{indent}", "", body, flags=re.MULTILINE))


def without_code(text: str) -> str:
    """A page's prose: code blocks and inline code left out."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    start = text.index(f"{heading}\n") + len(heading)
    prose = _FENCE.sub(lambda match: "`" * len(match.group()), text)  # a comment in a shell script is no heading
    end = re.compile(rf"^#{{1,{level}}} ", re.MULTILINE).search(prose, start)
    return text[start : end.start() if end else len(text)]


def table(text: str) -> list[list[str]]:
    """The rows of the first table in a text, without its head; cells without the backticks of code."""
    rows = re.search(r"^\|.*?(?=\n[^|]|\n*\Z)", text, re.MULTILINE | re.DOTALL)
    assert rows, "there is no table"
    cells = [re.split(r"(?<!\\)\|", line.strip())[1:-1] for line in rows.group().splitlines()]
    return [[cell.strip().strip("`") for cell in row] for row in cells[2:]]
