"""Starts the console's server and keeps it until a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web

from tuning_console.upstream import Upstream

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from tuning_console.server import Console

# Two watches for each of the streams, and some questions.
_CONNECTIONS = 500
_SHUTDOWN_SECONDS = 2.0


@asynccontextmanager
async def api_server(url: str, context: ssl.SSLContext) -> AsyncIterator[Upstream]:
    """A client of the API server that keeps no cookies and follows no redirects."""
    connector = aiohttp.TCPConnector(ssl=context, limit=_CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Upstream(session, url)


@asynccontextmanager
async def serving(console: Console, host: str, port: int) -> AsyncIterator[int]:
    """Serve the console; gives the port, which is a free one if 0 was asked for.

    Raises:
        OSError: The port cannot be listened on.
    """
    # A browser that goes away ends what was done for it, and frees its place.
    runner = web.AppRunner(
        console.app(), access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_SECONDS
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else error
            raise OSError(f"cannot listen on port {port}: {why}; choose another one with --port") from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    await stopped.wait()
