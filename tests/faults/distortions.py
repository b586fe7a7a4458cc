"""Faults for some seconds: answers that are late, partial, stale or wrong, and watches that lose or repeat events."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from tests.faults.faults import REASONS, Quiet
from tests.faults.proxy import Answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.faults.proxy import Call


class Window(Quiet):
    """A condition of the server that begins at its n-th request and ends after some seconds."""

    def __init__(self, seconds: float, after: int = 5) -> None:
        super().__init__()
        self._seconds = seconds
        self._after = after
        self._until: float | None = None

    def is_open(self) -> bool:
        """Whether things go wrong now; called once for each request."""
        self._after -= 1
        if self._after < 0 and self._until is None:
            self._until = time.monotonic() + self._seconds
        return self._until is not None and time.monotonic() < self._until


class Distorted(Window):
    """Answers of Prometheus are bent for some seconds.

    Args:
        kind: For the report.
        distort: From the true answer to the one that arrives; may raise `LostError`.
        seconds: How long.
    """

    def __init__(self, kind: str, distort: Callable[[Answer], Awaitable[Answer]], seconds: float = 4.0) -> None:
        super().__init__(seconds)
        self._kind = kind
        self._distort = distort

    async def after(self, _call: Call, answer: Answer) -> Answer:
        if not self.is_open():
            return answer
        try:
            return await self._distort(answer)
        finally:
            self.count(self._kind)


class StaleLists(Window):
    """Lists of a resource are answered as they were some time ago, as an API server that lags behind would.

    Args:
        resource: Whose lists.
        age: How old an answer may be, in seconds.
        seconds: How long.
    """

    def __init__(self, resource: str, age: float = 1.0, seconds: float = 6.0) -> None:
        super().__init__(seconds, after=2)
        self._resource = resource
        self._age = age
        self._known: dict[str, list[tuple[float, Answer]]] = {}

    async def after(self, call: Call, answer: Answer) -> Answer:
        if call.verb != "list" or call.resource != self._resource or answer.status != 200:
            return answer
        known = self._known.setdefault(call.path, [])
        known.append((time.monotonic(), answer))
        if not self.is_open():
            return answer
        old = [earlier for at, earlier in known if at <= time.monotonic() - self._age]
        if not old:
            return answer
        if old[-1].body != answer.body:
            self.count(f"stale list of {self._resource}")
        return old[-1]


class Watches(Quiet):
    """The events of all watches are bent.

    Args:
        kind: For the report.
        distort: From the lines that come to those that arrive.
        times: How many watches; None: all of them.
    """

    def __init__(
        self,
        kind: str,
        distort: Callable[[AsyncIterator[bytes], Callable[[], None]], AsyncIterator[bytes]],
        times: int | None = None,
    ) -> None:
        super().__init__()
        self._kind = kind
        self._distort = distort
        self._left = times

    def lines(self, _call: Call, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                return lines
        return self._distort(lines, lambda: self.count(self._kind))


async def silent(lines: AsyncIterator[bytes], count: Callable[[], None]) -> AsyncIterator[bytes]:
    """Nothing arrives after the third event."""
    seen = 0
    async for line in lines:
        seen += 1
        if seen <= 3:
            yield line
        elif seen == 4:
            count()


async def without_deleted(lines: AsyncIterator[bytes], count: Callable[[], None]) -> AsyncIterator[bytes]:
    """Deletions are not reported."""
    async for line in lines:
        if _event(line)["type"] == "DELETED":
            count()
        else:
            yield line


async def twice(lines: AsyncIterator[bytes], count: Callable[[], None]) -> AsyncIterator[bytes]:
    """Each event comes twice."""
    async for line in lines:
        count()
        yield line
        yield line


async def reordered(lines: AsyncIterator[bytes], count: Callable[[], None]) -> AsyncIterator[bytes]:
    """Each event comes after the one that follows it, or after half a second."""
    held: bytes | None = None
    pending: asyncio.Future[bytes] | None = None
    iterator = aiter(lines)
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(iterator))
            done, _ = await asyncio.wait([pending], timeout=None if held is None else 0.5)
            if done:
                line, pending = pending.result(), None
                if held is None:
                    held = line
                    continue
                count()
                yield line
            assert held is not None
            yield held
            held = None
    except StopAsyncIteration:
        if held is not None:
            yield held
    finally:
        if pending is not None:
            pending.cancel()


async def expired(lines: AsyncIterator[bytes], count: Callable[[], None]) -> AsyncIterator[bytes]:
    """After a few events the watch says that its version is too old."""
    async for line in _some_then_error(lines, count, 410):
        yield line


async def failing(lines: AsyncIterator[bytes], count: Callable[[], None]) -> AsyncIterator[bytes]:
    """After a few events the watch reports an internal error."""
    async for line in _some_then_error(lines, count, 500):
        yield line


async def _some_then_error(lines: AsyncIterator[bytes], count: Callable[[], None], code: int) -> AsyncIterator[bytes]:
    seen = 0
    async for line in lines:
        yield line
        seen += 1
        if seen == 5:
            count()
            status = json.loads(Answer.failure(code, REASONS[code], "injected").body)
            yield json.dumps({"type": "ERROR", "object": status}).encode() + b"\n"
            return


def _event(line: bytes) -> Any:
    return json.loads(line)


async def with_warnings(answer: Answer) -> Answer:
    """Half of the series, and a warning, as Thanos does when a store is away."""
    return _partial(answer, warnings=["a store is unavailable"])


async def is_partial(answer: Answer) -> Answer:
    """Half of the series, and a flag, as VictoriaMetrics does."""
    return _partial(answer, isPartial=True)


async def cut_off(answer: Answer) -> Answer:
    """A JSON document that ends in its middle."""
    return Answer(answer.status, answer.body[: len(answer.body) // 2], answer.content_type)


async def unavailable(_answer: Answer) -> Answer:
    """What a gateway says."""
    return Answer(503, b"upstream connect error", "text/plain")


async def slow(answer: Answer) -> Answer:
    """Whole and late."""
    await asyncio.sleep(2.0)
    return answer


def _partial(answer: Answer, **mark: Any) -> Answer:
    body = json.loads(answer.body)
    series = body["data"]["result"]
    body["data"]["result"] = series[: len(series) // 2]
    return Answer(answer.status, json.dumps({**body, **mark}).encode())
