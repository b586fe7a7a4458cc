"""The website has every page that its menu names, what the pages link to, and nothing from other servers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from docs.website import PAGES, assets_from_elsewhere, main, stage
from tests.unit.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

NAV = re.findall(r"(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)


def test_the_menu_has_every_page_of_the_documentation() -> None:
    there = {str(path.relative_to(ROOT)) for pattern in PAGES for path in ROOT.glob(pattern)}
    assert set(NAV) - there == set()
    assert {page for page in there if page.startswith("docs/")} - set(NAV) == set()
    assert len(NAV) == len(set(NAV))


def test_pages_come_with_the_files_that_they_link_to(tmp_path: Path) -> None:
    root, site = tmp_path / "checkout", tmp_path / "site"
    for name in ("docs/images/a.png", "examples/job.yaml", "examples/other.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "docs" / "page.md").write_text(
        "![a](images/a.png) [a job](../examples/job.yaml#L1) [all\nof them](../examples)\n"
    )
    (root / "README.md").write_text("[a page](docs/page.md#part), [code](https://example.com/)\n")
    (root / ".cache").mkdir()
    (root / ".cache" / "README.md").write_text("of a tool")
    (site / "old.md").parent.mkdir(parents=True)
    (site / "old.md").write_text("of an earlier build")
    stage(root, site)
    assert {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()} == {
        *("README.md", "docs/page.md", "docs/images/a.png", "examples/job.yaml"),
    }
    assert (site / "README.md").read_text() == (root / "README.md").read_text()
    assert (
        site / "docs" / "page.md"
    ).read_text() == "![a](images/a.png) [a job](../examples/job.yaml#L1) all\nof them\n"


@pytest.mark.parametrize(
    ("html", "address"),
    [
        ('<script src="https://cdn.example.com/x.js"></script>', "https://cdn.example.com/x.js"),
        ('<link rel="stylesheet" href="//fonts.example.com/css">', "//fonts.example.com/css"),
        ('<img alt="" src=http://example.com/a.png>', "http://example.com/a.png"),
        ('<script src="../assets/x.js"></script><a href="https://example.com">a link</a>', None),
    ],
)
def test_what_a_page_loads_from_elsewhere_is_found(html: str, address: str | None, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(html)
    assert list(assets_from_elsewhere(tmp_path)) == ([("index.html", address)] if address else [])


def test_a_command_that_does_not_exist_is_refused() -> None:
    assert main(["deploy"]) == 2
