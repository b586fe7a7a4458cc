"""Links between the pages lead somewhere, headings included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.unit.docs.pages import ROOT, pages, without_code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LINK = re.compile(r"\]\(<?([^)\s>]+)>?\)|<img [^>]*src=\"([^\"]+)\"|^\[[^\]]+\]: (\S+)$", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)


def anchors(path: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    text = re.sub(r"^( *)```.*?^\1```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    slugs: list[str] = []
    for heading in _HEADING.findall(text):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        repeated = slugs.count(slug)
        slugs.append(f"{slug}-{repeated}" if repeated else slug)
    return set(slugs)


def broken_links(path: Path) -> Iterator[str]:
    for match in _LINK.finditer(without_code(path.read_text())):
        link = next(filter(None, match.groups()))
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            yield link


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page)) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n[here](#a-page) [there](other.md) [nowhere](#b-page) `[code](x)` [web](https://x.y)\n")
    assert list(broken_links(page)) == ["other.md", "#b-page"]
