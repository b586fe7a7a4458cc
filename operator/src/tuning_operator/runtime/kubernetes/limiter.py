"""The budget of requests to the API server: a token bucket whose tokens go to the namespaces in turn."""

from __future__ import annotations

import asyncio

from aiolimiter import AsyncLimiter

from tuning_operator.runtime.line import FairLine


class FairLimiter:
    """Lets `burst` requests pass at once and `rate` a second on average; a flood in one namespace delays that one.

    Args:
        rate: Requests a second.
        burst: Requests at once.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._bucket = AsyncLimiter(burst, burst / rate)
        self._line: FairLine[asyncio.Future[None]] = FairLine()
        self._granting: asyncio.Task[None] | None = None

    async def acquire(self, namespace: str) -> None:
        """Wait for a token."""
        if self._granting is None and self._bucket.has_capacity():
            await self._bucket.acquire()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.push(namespace, turn)
        if self._granting is None:
            self._granting = asyncio.create_task(self._grant(), name="API budget")
        await turn

    async def close(self) -> None:
        """Grant nothing any more."""
        if self._granting is not None:
            self._granting.cancel()
            await asyncio.gather(self._granting, return_exceptions=True)

    async def _grant(self) -> None:
        """Give each token to the next in turn when it is due; those who stopped waiting get none."""
        try:
            while len(self._line):
                await self._bucket.acquire()
                while len(self._line):
                    turn = self._line.pop()
                    if not turn.done():
                        turn.set_result(None)
                        break
        finally:
            self._granting = None
