"""The way to the API server past all faults: for the script, for the kubelet that is played, and for the oracles."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from cluster.operators import GROUP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    Body = dict[str, Any]
    Listener = Callable[[str, str, Body], None]

PATHS = {"tuningjobs": f"{GROUP}/tuningjobs", "tuningtrials": f"{GROUP}/tuningtrials", "pods": "/api/v1/pods"}


class RefusedError(Exception):
    """The API server said no."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"HTTP {status}: {body[:300]}")
        self.status = status


class Server:
    """An API server, as its administrator sees it; used inside an `async with` block."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.url: str = cluster["server"]
        self._token: str = config["users"][0]["user"]["token"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._ssl = ssl.create_default_context(cadata=authority)

    async def __aenter__(self) -> Self:
        self.session = self.new_session()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    def new_session(self) -> aiohttp.ClientSession:
        """Connections with the administrator's credentials."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept-Encoding": "identity"}
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._ssl, limit=0), headers=headers)

    async def call(self, method: str, path: str, body: Any = None, *, kind: str = "application/json") -> Body:
        """Send one request and return its answer; raises `RefusedError` or an `OSError`."""
        data = None if body is None else json.dumps(body)
        async with self.session.request(method, self.url + path, data=data, headers={"Content-Type": kind}) as response:
            text = await response.text()
            if response.status >= 400:
                raise RefusedError(response.status, text)
            answer: Body = json.loads(text)
            return answer

    async def get(self, path: str) -> Body | None:
        """Read an object; None when there is none."""
        try:
            return await self.call("GET", path)
        except RefusedError as error:
            if error.status != 404:
                raise
            return None

    async def observe(self, listener: Listener) -> None:
        """Tell of everything that happens to jobs, trials and Pods, for ever, across failures of the server.

        Args:
            listener: Called with the resource, the event's type and the object; first with all that exist.
        """
        async with asyncio.TaskGroup() as group:
            for resource in PATHS:
                group.create_task(self._observe(resource, listener))

    async def _observe(self, resource: str, listener: Listener) -> None:
        known: dict[str, Body] = {}
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, RefusedError, TimeoutError):
                listed = await self.call("GET", PATHS[resource])
                now = {item["metadata"]["uid"]: item for item in listed["items"]}
                for uid in [*known]:
                    if uid not in now:
                        listener(resource, "DELETED", known.pop(uid))
                for uid, item in now.items():
                    if uid not in known or known[uid]["metadata"] != item["metadata"]:
                        listener(resource, "MODIFIED" if uid in known else "ADDED", item)
                    known[uid] = item
                version = listed["metadata"]["resourceVersion"]
                async for kind, item in self._events(f"{PATHS[resource]}?watch=true&resourceVersion={version}"):
                    if kind == "DELETED":
                        known.pop(item["metadata"]["uid"], None)
                    else:
                        known[item["metadata"]["uid"]] = item
                    listener(resource, kind, item)
            await asyncio.sleep(0.2)

    async def _events(self, path: str) -> AsyncIterator[tuple[str, Body]]:
        forever = aiohttp.ClientTimeout(total=None)
        async with self.session.get(self.url + path, timeout=forever) as response:
            rest = b""
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for event in map(json.loads, lines):
                    if event["type"] == "ERROR":
                        return
                    yield event["type"], event["object"]
