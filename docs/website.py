"""Prepares the website's pages, and checks what MkDocs made of them: `make site`.

The pages are those that one reads in the repository, in the same folders, so that their links to each other hold. Files
that they link to, such as examples, come along; a link to a folder becomes plain text.
"""  # noqa: INP001 - a script beside the pages that it stages

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PAGES = ("*.md", "docs/**/*.md", "[!.]*/README.md", "charts/*/README.md")
STAGED, BUILT = ROOT / ".site" / "pages", ROOT / ".site" / "html"
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s#]+)(#[^)\s]*)?\)")
_TARGET = re.compile(r"\]\(([^)\s#]+)")
_ABROAD = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*(?:src|href)=\"?((?:https?:)?//[^\s\">]+)")


def main(arguments: list[str]) -> int:
    """Run `stage` or `check`; returns the exit code."""
    if arguments == ["stage"]:
        stage(ROOT, STAGED)
        return 0
    if arguments == ["check"]:
        found = list(assets_from_elsewhere(BUILT))
        sys.stderr.writelines(f"{page} loads {address}: copy it into the site\n" for page, address in found)
        return 1 if found else 0
    sys.stderr.write("usage: python -m docs.website stage|check\n")
    return 2


def stage(root: Path, target: Path) -> None:
    """Copy the pages of a checkout, and the files that they link to, into an empty folder."""
    shutil.rmtree(target, ignore_errors=True)
    for page in sorted({path for pattern in PAGES for path in root.glob(pattern)}):
        text = page.read_text()
        for linked in linked_files(text, page.parent, root):
            copy(linked, root, target)
        copy(page, root, target).write_text(without_links_to_folders(text, page.parent))


def copy(path: Path, root: Path, target: Path) -> Path:
    """Copy a file to its place below the target, and return that."""
    place = target / path.relative_to(root)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, place)
    return place


def linked_files(text: str, folder: Path, root: Path) -> Iterator[Path]:
    """Files of the checkout, other than pages, that a text links to or shows."""
    for link in _TARGET.findall(text):
        path = (folder / link).resolve()
        if path.suffix != ".md" and path.is_file() and path.is_relative_to(root):
            yield path


def without_links_to_folders(text: str, folder: Path) -> str:
    """A text whose links to folders are words alone: a website shows no folders."""
    return _LINK.sub(lambda link: link[1] if (folder / link[2]).is_dir() else link[0], text)


def assets_from_elsewhere(site: Path) -> Iterator[tuple[str, str]]:
    """Pages that load something from another server, and what: the site has to work without the internet."""
    for page in sorted(site.rglob("*.html")):
        for address in _ABROAD.findall(page.read_text()):
            yield str(page.relative_to(site)), address


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
