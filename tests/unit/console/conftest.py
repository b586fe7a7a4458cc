"""A console in front of an API server that tests play, and a browser's side of its streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web

from tests.unit.console.apiserver import ApiServer
from tuning_console.access import TokenAccess
from tuning_console.files import File
from tuning_console.run import serving
from tuning_console.server import Console
from tuning_console.streams import Limits
from tuning_console.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tuning_console.access import Access
    from tuning_console.frames import Places

PAGES = {"index.html": File("text/html; charset=utf-8", b"<!doctype html>", b"")}
QUICK = Limits(life=5, recheck=0.1, beat=0.2, patience=0.5)


class Lab:
    """A console and what stands around it.

    Attributes:
        server: the played API server.
        console: the console.
        url: the console's.
        http: a client without credentials.
    """

    def __init__(self, server: ApiServer, console: Console, url: str, http: aiohttp.ClientSession) -> None:
        self.server, self.console, self.url, self.http = server, console, url, http

    async def get(self, path: str, token: str | None = "good", **headers: str) -> tuple[int, Any]:
        async with self.http.get(self.url + path, headers=_headers(token) | headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    @contextlib.asynccontextmanager
    async def stream(self, path: str, token: str = "good") -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        async with self.http.get(self.url + path, headers=_headers(token)) as answer:
            assert answer.status == 200, await answer.text()
            yield _frames(answer)

    async def until(self, frames: AsyncIterator[dict[str, Any]], name: str) -> list[dict[str, Any]]:
        """The frames up to the first that has a field of this name."""
        found = []
        async with asyncio.timeout(10):
            async for frame in frames:
                found.append(frame)
                if name in frame:
                    return found
        raise AssertionError(f"no frame with {name}: {found}")


async def _frames(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    rest = b""
    async for part in answer.content.iter_any():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _headers(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}


@contextlib.asynccontextmanager
async def laboratory(
    access: Access | None = None, limits: Limits = QUICK, places: Places | None = None, api: str = ""
) -> AsyncIterator[Lab]:
    server = ApiServer()
    runner = web.AppRunner(server.app(), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        upstream_session = await stack.enter_async_context(aiohttp.ClientSession())
        upstream = Upstream(upstream_session, api or f"http://127.0.0.1:{runner.addresses[0][1]}")
        console = Console(upstream, access or TokenAccess("Authorization", ["team"]), PAGES, limits)
        console.places = places or console.places
        port = await stack.enter_async_context(serving(console, "127.0.0.1", 0))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Lab(server, console, f"http://127.0.0.1:{port}", http)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    async with laboratory() as made:
        yield made
