"""A Prometheus at its HTTP boundary."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tuning_operator.runtime.prometheus.client import Prometheus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

Pairs = list[tuple[int | str, str]]


def series(pod: str, pairs: Pairs, metric: str = "validation:accuracy") -> list[dict[str, Any]]:
    """Series of a Pod as an instant query returns them."""
    return [
        {"metric": {"pod": pod, "metric": metric, "epoch": str(epoch)}, "value": [1777900000.123, value]}
        for epoch, value in pairs
    ]


def answer(*result: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A whole answer."""
    data = {"resultType": "vector", "result": [item for items in result for item in items]}
    return {"status": "success", "data": data} | more


class PrometheusServer:
    """Answers every question with the text and the status code that it is given; remembers the questions.

    Attributes:
        respond: set by a test that needs another answer than these: gets the request and the query.
    """

    def __init__(self) -> None:
        self.status = 200
        self.text = json.dumps(answer())
        self.questions: list[dict[str, str]] = []
        self.respond: Callable[[web.Request, str], Awaitable[web.StreamResponse]] = self._say

    def says(self, body: object, status: int = 200) -> None:
        """Answer like this from now on."""
        self.status, self.text = status, body if isinstance(body, str) else json.dumps(body)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.questions.append({name: str(value) for name, value in (await request.post()).items()})
        return await self.respond(request, self.questions[-1]["query"])

    async def _say(self, _request: web.Request, _query: str) -> web.StreamResponse:
        return web.Response(status=self.status, text=self.text, content_type="application/json")


@contextlib.asynccontextmanager
async def prometheus_server() -> AsyncIterator[tuple[PrometheusServer, Prometheus]]:
    """A running server and a client of it."""
    fake, app = PrometheusServer(), web.Application()
    app.router.add_post("/prefix/api/v1/query", fake.handle)
    async with TestServer(app) as server:
        client = Prometheus(str(server.make_url("/prefix")))
        try:
            yield fake, client
        finally:
            await client.close()
