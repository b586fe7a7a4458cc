"""A proxy for one server, in which faults happen: each request passes three points at which it can go wrong.

Before it is forwarded, after it took effect, and after its reply was delivered; the lines of a watch pass a filter.
The proxy logs all requests and forwards them unchanged.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import aiohttp
from aiohttp import web
from yarl import URL

from cluster.ports import free_ports

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

_HOST = "127.0.0.1"
_VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
_WRITES = frozenset(_VERBS.values())


class LostError(Exception):
    """The connection breaks; nobody knows what has become of the request."""


@dataclass(frozen=True)
class Answer:
    """A reply of the server, or one in its place."""

    status: int
    body: bytes
    content_type: str = "application/json"

    @classmethod
    def failure(cls, code: int, reason: str, message: str) -> Answer:
        """A failure in the words of Kubernetes."""
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
        return cls(code, json.dumps({**status, "reason": reason, "message": message}).encode())


@dataclass
class Call:
    """A request, in Kubernetes' terms.

    Attributes:
        verb: get, list, watch, create, patch or delete; `discover` for the API's own documents; `query`.
        resource: Plural, with `/status` for that subresource.
        answered: Status code of the reply; None while there is none, and when it was lost.
    """

    verb: str
    resource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    body: bytes = b""
    dry_run: bool = False
    answered: int | None = None
    at: float = field(default_factory=time.monotonic)

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.verb in _WRITES and not self.dry_run

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.name} -> {self.answered}"


class Fault(Protocol):
    """What goes wrong on the way; every method may raise `LostError`."""

    async def before(self, call: Call) -> Answer | None:
        """Let the request pass, or answer in the server's place."""

    async def after(self, call: Call, answer: Answer) -> Answer:
        """The server has answered; return what the client gets to see."""

    async def replied(self, call: Call) -> None:
        """The client has its reply."""

    def lines(self, call: Call, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Filter the lines of a watch."""


def kubernetes_call(method: str, path: str, query: Mapping[str, str], body: bytes) -> Call:
    """What a request to an API server asks for."""
    words = path.strip("/").split("/")
    rest = words[2:] if words[0] == "api" else words[3:]
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    if not rest:
        return Call("discover", path=path)
    resource, name = "/".join([rest[0], *rest[2:]]), rest[1] if len(rest) > 1 else ""
    if method == "GET":
        verb = "watch" if query.get("watch") == "true" else "get" if name else "list"
    else:
        verb = _VERBS[method]
        name = name or json.loads(body)["metadata"]["name"]
    return Call(verb, resource, namespace, name, path, body, dry_run="dryRun" in query)


def prometheus_call(_method: str, path: str, _query: Mapping[str, str], body: bytes) -> Call:
    """What a request to Prometheus asks for."""
    return Call("query", path=path, body=body)


class Proxy:
    """Forwards to a server inside an `async with` block.

    Attributes:
        url: Where it listens.
        calls: Everything that was asked, in this order.
    """

    def __init__(
        self,
        upstream: str,
        session: aiohttp.ClientSession,
        describe: Callable[[str, str, Mapping[str, str], bytes], Call],
        fault: Fault,
        judge: Callable[[Call], Awaitable[None]] | None = None,
    ) -> None:
        """Describe the proxy.

        Args:
            upstream: The server's URL.
            session: The way there, with the credentials in its headers.
            describe: Understands method, path, query and body.
            fault: What goes wrong.
            judge: Looks at every request that is about to be forwarded.
        """
        self._upstream = upstream
        self._session = session
        self._describe = describe
        self._fault = fault
        self._judge = judge
        self._connections: set[asyncio.Transport] = set()
        self._is_open = True
        self.calls: list[Call] = []

    async def __aenter__(self) -> Self:
        (port,) = free_ports(1)
        self.url = f"http://{_HOST}:{port}"
        self._runner = web.ServerRunner(web.Server(self._handle, handler_cancellation=True), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, _HOST, port).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        await self._runner.cleanup()

    def close(self) -> None:
        """Break all connections at once, also those to come; the port stays taken, so that nobody else gets it."""
        self._is_open = False
        for transport in self._connections:
            transport.abort()
        self._connections.clear()

    def open(self) -> None:
        """Let connections live again."""
        self._is_open = True

    @property
    def writes(self) -> int:
        """How many requests so far may have changed something."""
        return sum(call.is_write for call in self.calls)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        if transport is not None:
            self._connections.add(transport)
            if not self._is_open:
                transport.abort()
                return web.Response()
        body = await request.read()
        call = self._describe(request.method, request.path, request.query, body)
        self.calls.append(call)
        try:
            answer = await self._fault.before(call)
            if answer is None and call.verb == "watch":
                return await self._watch(request, call)
            if answer is None:
                answer = await self._fault.after(call, await self._forward(request, call))
            call.answered = answer.status
            response = web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)
            await response.prepare(request)
            await response.write_eof()
            await self._fault.replied(call)
        except (LostError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return response

    def _headers(self, request: web.BaseRequest) -> dict[str, str]:
        kept = ("Accept", "Content-Type")
        return {name: request.headers[name] for name in kept if name in request.headers}

    async def _forward(self, request: web.BaseRequest, call: Call) -> Answer:
        if self._judge is not None:
            await self._judge(call)
        url = URL(self._upstream + request.raw_path, encoded=True)
        headers = self._headers(request)
        try:
            async with self._session.request(request.method, url, data=call.body or None, headers=headers) as response:
                return Answer(response.status, await response.read(), response.content_type)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LostError from error

    async def _watch(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        url = URL(self._upstream + request.raw_path, encoded=True)
        forever = aiohttp.ClientTimeout(total=None)
        try:
            async with self._session.get(url, headers=self._headers(request), timeout=forever) as upstream:
                call.answered = upstream.status
                response = web.StreamResponse(status=upstream.status, headers={"Content-Type": upstream.content_type})
                await response.prepare(request)
                async for line in self._fault.lines(call, _lines(upstream)):
                    await response.write(line)
                await response.write_eof()
        except aiohttp.ClientError as error:
            raise LostError from error
        return response


async def _lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Whole lines, of any length."""
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line + b"\n"
