"""What can go wrong between the operator and the servers that it talks to. Each fault counts what it did."""

from __future__ import annotations

import asyncio
import enum
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.proxy import Answer, LostError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection

    from tests.faults.proxy import Call

LONGEST_SILENCE = 45.0
"""Seconds after which even a connection that hangs is broken off."""

REASONS = {
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class Moment(enum.StrEnum):
    """When something goes wrong with a request."""

    BEFORE = "before it is forwarded"
    AFTER = "after it took effect"
    REPLIED = "after the reply"


class Quiet:
    """Nothing goes wrong.

    Attributes:
        injected: How many faults there were, by kind.
        ended: When the last of them was over; monotonic seconds.
    """

    def __init__(self) -> None:
        self.injected: Counter[str] = Counter()
        self.ended = 0.0

    async def before(self, _call: Call) -> Answer | None:
        return None

    async def after(self, _call: Call, answer: Answer) -> Answer:
        return answer

    async def replied(self, _call: Call) -> None:
        return

    def lines(self, _call: Call, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        return lines

    def count(self, kind: str) -> None:
        """Note a fault that is over by now."""
        self.injected[kind] += 1
        self.ended = time.monotonic()


class Kill(Quiet):
    """The operator is killed at its k-th write, at one of three moments.

    Args:
        writes: Which of them; counted over all processes of the operator.
        moment: When.
        kill: Kills the operator.
    """

    def __init__(self, writes: Collection[int], moment: Moment, kill: Callable[[], None]) -> None:
        super().__init__()
        self._writes = frozenset(writes)
        self._moment = moment
        self._kill = kill
        self._seen = 0
        self._doomed: Call | None = None

    async def before(self, call: Call) -> Answer | None:
        if call.is_write:
            self._seen += 1
            if self._seen in self._writes:
                self._doomed = call
        self._strike(call, Moment.BEFORE)
        return None

    async def after(self, call: Call, answer: Answer) -> Answer:
        self._strike(call, Moment.AFTER)
        return answer

    async def replied(self, call: Call) -> None:
        self._strike(call, Moment.REPLIED)

    def _strike(self, call: Call, moment: Moment) -> None:
        if call is not self._doomed or moment is not self._moment:
            return
        self._doomed = None
        self._kill()
        self.count(f"SIGKILL {moment}")
        raise LostError


class Trouble(Quiet):
    """The first requests of some verb meet with trouble.

    Args:
        verbs: Which requests.
        times: How many of them.
        skip: How many of them pass before that.
        effect: Whether they take effect all the same, so that the client does not know.
        code: The status of the answer; None: none comes at all.
        hang: Without an answer: whether the connection stays open and silent, instead of breaking.
    """

    def __init__(
        self,
        verbs: Collection[str],
        *,
        times: int = 6,
        skip: int = 0,
        effect: bool = False,
        code: int | None = None,
        hang: bool = False,
    ) -> None:
        super().__init__()
        self._verbs = frozenset(verbs)
        self._left = times
        self._skip = skip
        self._effect = effect
        self._code = code
        self._hang = hang
        self._chosen: set[int] = set()

    async def before(self, call: Call) -> Answer | None:
        if call.verb not in self._verbs or self._left <= 0:
            return None
        if self._skip > 0:
            self._skip -= 1
            return None
        self._left -= 1
        if self._effect:
            self._chosen.add(id(call))
            return None
        return await self._answer(call)

    async def after(self, call: Call, answer: Answer) -> Answer:
        if id(call) not in self._chosen:
            return answer
        return await self._answer(call)

    async def _answer(self, call: Call) -> Answer:
        what = f"{self._code}" if self._code else "time-out" if self._hang else "lost"
        kind = f"{what} on {call.verb}{' that took effect' if self._effect else ''}"
        try:
            if self._hang:
                await asyncio.sleep(LONGEST_SILENCE)  # cancelled when the client gives up
        finally:
            self.count(kind)
        if self._code is None:
            raise LostError
        return Answer.failure(self._code, REASONS[self._code], "injected")


class Chaos(Quiet):
    """Everything goes wrong now and then, for some seconds.

    Args:
        seed: Which sequence of mishaps.
        seconds: How long from the first request on.
        share: Which share of the requests meets with trouble.
        kill: Kills the operator.
    """

    def __init__(self, seed: int, seconds: float, share: float, kill: Callable[[], None]) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self._seconds = seconds
        self._share = share
        self._kill = kill
        self._began: float | None = None

    async def before(self, call: Call) -> Answer | None:
        self._began = self._began or call.at
        return await self._strike(call, Moment.BEFORE)

    async def after(self, call: Call, answer: Answer) -> Answer:
        return await self._strike(call, Moment.AFTER) or answer

    async def _strike(self, call: Call, moment: Moment) -> Answer | None:
        assert self._began is not None
        if call.at - self._began > self._seconds or self._random.random() > self._share / 2:
            return None
        kind = self._random.choice(("lost", "late", "kill", *REASONS))
        self.count(f"chaos: {kind} {moment}")
        if isinstance(kind, int):
            return Answer.failure(kind, REASONS[kind], "injected")
        if kind == "late":
            await asyncio.sleep(self._random.uniform(0.1, 1.5))
            return None
        if kind == "kill":
            self._kill()
        raise LostError


class Outage(Quiet):
    """The server is away for a while, from some request on.

    Args:
        kind: For the report.
        seconds: How long.
        after: How many requests (`counts`) pass before that.
        go: Takes the server away.
        come: Brings it back.
        counts: Which requests are counted.
    """

    def __init__(
        self,
        kind: str,
        seconds: float,
        after: int,
        go: Callable[[], Awaitable[object]],
        come: Callable[[], Awaitable[object]],
        counts: Callable[[Call], bool],
    ) -> None:
        super().__init__()
        self._kind = kind
        self._seconds = seconds
        self._after = after
        self._go = go
        self._come = come
        self._counts = counts
        self._task: asyncio.Task[None] | None = None

    async def before(self, call: Call) -> Answer | None:
        self._after -= self._counts(call)
        if self._after < 0 and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._pass())
        return None

    async def _pass(self) -> None:
        self.ended = time.monotonic() + self._seconds
        await self._go()
        await asyncio.sleep(self._seconds)
        await self._come()
        self.count(self._kind)
