"""The built pages, in memory: no request ever names a file."""

from __future__ import annotations

import gzip
import mimetypes
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from tuning_console.errors import ConsoleError

FOLDER = Path(__file__).parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"


class File(NamedTuple):
    """A file as it is sent."""

    kind: str
    plain: bytes
    packed: bytes


class NotBuiltError(RuntimeError):
    """The pages are not there."""


def load(folder: Path = FOLDER) -> dict[str, File]:
    """Read all pages; raises `NotBuiltError`."""
    if not (folder / "index.html").is_file():
        raise NotBuiltError(f"{folder} has no pages: run `make console`, or install the built package")
    return {
        str(path.relative_to(folder)): _read(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def _read(path: Path) -> File:
    plain = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    text = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return File(text, plain, gzip.compress(plain, 9, mtime=0))


def serve(files: dict[str, File], request: web.Request) -> web.Response:
    """One of the files; what the build has named after its content never changes."""
    name = request.match_info.get("name") or "index.html"
    file = files.get(name)
    if file is None:
        raise ConsoleError(HTTPStatus.NOT_FOUND, "page not found")
    headers = {
        "Content-Type": file.kind,
        "Vary": "Accept-Encoding",
        "Cache-Control": _FOR_EVER if name.startswith("assets/") else "no-cache",
    }
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=file.packed, headers=headers | {"Content-Encoding": "gzip"})
    return web.Response(body=file.plain, headers=headers)
