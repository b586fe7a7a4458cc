"""Requests to the API server and watches of it, many at a time: `cluster.api` sends one after the other."""

from __future__ import annotations

import base64
import json
import ssl
from typing import TYPE_CHECKING, Any, Self

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

_WATCH_SECONDS = 3000
MERGE_PATCH = "application/merge-patch+json"


class ApiServer:
    """Requests with the token of a kubeconfig, inside an `async with` block.

    Attributes:
        sent: how many requests were answered.
    """

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._url: str = cluster["server"]
        self._headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64, ssl=ssl.create_default_context(cadata=authority)),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
        )
        self.sent = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[int, Any]:
        """Send one request; returns status and JSON of its answer, of which errors are for the caller."""
        headers = {**self._headers, "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, self._url + path, data=data, headers=headers) as answer:
            self.sent += 1
            return answer.status, await answer.json(content_type=None)

    async def create(self, path: str, body: Any) -> dict[str, Any]:
        """Create an object and return it; raises RuntimeError with the server's words."""
        return await self._expect("POST", path, body)

    async def patch(self, path: str, body: Any) -> dict[str, Any]:
        """Change an object by a merge patch and return it; raises RuntimeError with the server's words."""
        return await self._expect("PATCH", path, body, MERGE_PATCH)

    async def get(self, path: str) -> dict[str, Any]:
        """Read an object or a list; raises RuntimeError with the server's words."""
        return await self._expect("GET", path)

    async def delete(self, path: str) -> None:
        """Delete an object; raises RuntimeError with the server's words."""
        await self._expect("DELETE", path)

    async def _expect(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> dict[str, Any]:
        status, answer = await self.call(method, path, body, kind)
        if status >= 400:
            raise RuntimeError(f"{method} {path}: {status} {answer.get('message')}")
        return dict(answer)

    async def metrics(self) -> str:
        """The API server's own metrics."""
        async with self._session.get(f"{self._url}/metrics", headers=self._headers) as answer:
            return await answer.text()

    async def watch(self, path: str, version: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of a list's path that follow a version, until the server ends the watch."""
        url = f"{self._url}{path}{'&' if '?' in path else '?'}"
        query = f"watch=1&resourceVersion={version}&timeoutSeconds={_WATCH_SECONDS}"
        async with self._session.get(url + query, headers=self._headers) as answer:
            rest = b""
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for event in _parsed(lines):
                    yield event


def _parsed(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        event = json.loads(line)
        if event["type"] == "ERROR":
            raise RuntimeError(f"the watch failed: {event['object'].get('message')}")
        yield event
