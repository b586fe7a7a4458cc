"""Shares a few places among many jobs: whoever has used the least of them lately is next.

A namespace is charged for all its jobs, so more jobs get it no more turns. If there are several places, one is always
kept for the other namespaces, since nothing can make a job leave its place.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from tuning_operator.runtime.usage import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from tuning_operator.runtime.queue import JobKey

Place = TypeVar("Place")


@dataclass(slots=True)
class _Waiter(Generic[Place]):
    job: JobKey
    number: int
    place: asyncio.Future[Place]


class Turns(Generic[Place]):
    """Hands out places, each to one job at a time.

    Args:
        places: What is handed out, at least one.
    """

    def __init__(self, places: Iterable[Place]) -> None:
        self._free = list(places)
        self._most = max(1, len(self._free) - 1)  # places for one namespace
        self._held: Counter[str] = Counter()
        self._waiting: list[_Waiter[Place]] = []
        self._arrivals = 0
        self._usage = Usage()

    @asynccontextmanager
    async def turn(self, job: JobKey) -> AsyncIterator[Place]:
        """Wait for a place and hold it; the job is charged for the time."""
        clock = asyncio.get_running_loop().time
        place = await self._wait(job)
        began = clock()
        try:
            yield place
        finally:
            self._usage.charge((job.namespace, job), clock() - began, clock())
            self._give_back(job, place)

    def others_wait(self, job: JobKey) -> bool:
        """Whether a job that holds a place keeps others waiting."""
        return any(waiter.job != job for waiter in self._waiting)

    async def _wait(self, job: JobKey) -> Place:
        self._arrivals += 1
        waiter = _Waiter(job, self._arrivals, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self._hand_out()
        try:
            return await waiter.place
        except asyncio.CancelledError:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not waiter.place.cancelled():  # it was handed a place at the same moment
                self._give_back(job, waiter.place.result())
            raise

    def _give_back(self, job: JobKey, place: Place) -> None:
        self._held[job.namespace] -= 1
        self._free.append(place)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._free:
            able = [waiter for waiter in self._waiting if self._held[waiter.job.namespace] < self._most]
            if not able:
                return
            waiter = min(able, key=self._order)
            self._waiting.remove(waiter)
            if not waiter.place.done():
                self._held[waiter.job.namespace] += 1
                waiter.place.set_result(self._free.pop())

    def _order(self, waiter: _Waiter[Place]) -> tuple[float, float, int]:
        return self._usage.of(waiter.job.namespace), self._usage.of(waiter.job), waiter.number
