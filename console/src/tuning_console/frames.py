"""Frames to the browser: one JSON object per line, compressed, and only as fast as they are read."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import Counter
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tuning_console.errors import ConsoleError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FRAME = 2 * 1024 * 1024
# gzip with a window of 8 KiB: 64 KiB of memory a stream, and the field names of the frame before are in it.
_WINDOW, _MEMORY, _LEVEL = 16 + 13, 6, 5


class NobodyReadsError(Exception):
    """The browser has not taken a frame in time; its connection is cut."""


class Frames:
    """An answer that grows.

    Args:
        request: whom to answer.
        patience: seconds that a frame may take to be read.
    """

    def __init__(self, request: web.Request, patience: float) -> None:
        self._request, self._patience = request, patience
        self._response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "X-Accel-Buffering": "no"})
        self._gzip = "gzip" in request.headers.get("Accept-Encoding", "")
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY)
        if self._gzip:
            self._response.headers["Content-Encoding"] = "gzip"

    @property
    def response(self) -> web.StreamResponse:
        """What the handler returns."""
        return self._response

    async def open(self) -> None:
        """Send the headers."""
        await self._response.prepare(self._request)

    async def send(self, frame: dict[str, Any]) -> None:
        """Send a frame.

        Raises:
            NobodyReadsError: it was not taken in time, and the connection is cut.
        """
        line = json.dumps(frame, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        if len(line) > MAX_FRAME:
            raise ConsoleError(HTTPStatus.BAD_GATEWAY, f"an object is larger than {MAX_FRAME} B, too large to be shown")
        await self._write(self._packer.compress(line) + self._packer.flush(zlib.Z_SYNC_FLUSH) if self._gzip else line)

    async def end(self, why: dict[str, Any]) -> None:
        """Say why nothing follows."""
        await self.send({"end": why})
        if self._gzip:
            await self._write(self._packer.flush())
        await self._response.write_eof()

    async def _write(self, data: bytes) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._response.write(data)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise NobodyReadsError from None


class Places:
    """How many streams there may be.

    Args:
        total: of all callers.
        each: of one caller.
    """

    def __init__(self, total: int, each: int) -> None:
        self._total, self._each = total, each
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many streams there are."""
        return self._taken.total()

    @contextmanager
    def take(self, caller: str) -> Iterator[None]:
        """Hold a place, or raise `ConsoleError` with 429."""
        if self._taken[caller] >= self._each:
            raise ConsoleError(
                HTTPStatus.TOO_MANY_REQUESTS, f"{self._each} pages are open with this token: close one of them"
            )
        if self.taken >= self._total:
            raise ConsoleError(
                HTTPStatus.TOO_MANY_REQUESTS, f"{self._total} pages are open, and the console serves no more: try later"
            )
        self._taken[caller] += 1
        try:
            yield
        finally:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]
