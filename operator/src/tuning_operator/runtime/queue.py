"""A keyed work queue, after client-go's: a key waits once, and two workers never hold the same key.

A key that is added while it is worked on comes back afterwards, so no change is missed. Keys of different groups take
turns, so six hundred jobs of one namespace delay a job of another by at most one pass. Keys that can wait let the
others go first, since new epochs of thirty jobs arrive together, and a free slot is a GPU that stands idle.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter, deque
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from tuning_operator.runtime.line import FairLine

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Key = TypeVar("Key")

FIRST_BACKOFF = 0.5
MAX_BACKOFF = 60.0
OUTAGE_BACKOFF = 5.0
"""Longest wait for what passes by itself, such as an outage: work resumes within seconds of its end."""
PATIENCE = 4
"""One turn in this many goes to a key that can wait; else it might wait forever."""


class JobKey(NamedTuple):
    """Namespace and name of a HyperparameterTuningJob."""

    namespace: str
    name: str


class WorkQueue(Generic[Key]):
    """Keys to reconcile: de-duplicated, with delays and exponential backoff for each key.

    Args:
        group: With whom a key takes turns; by default no key has a group to itself.
        patient: Most keys that could wait and are worked on at the same time: they share the processor with the others.
    """

    def __init__(self, group: Callable[[Key], Hashable] = lambda _: None, patient: int = sys.maxsize) -> None:
        self._group = group
        self._most_patient = patient
        self._lines: dict[bool, FairLine[Key]] = {False: FairLine(), True: FairLine()}
        """Keys, and those that can wait. One that cannot wait any more is in both, and has its place in the first."""
        self._turn = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        """Workers that have found nothing to do."""
        self._ends = 0
        """Workers that must end."""
        self._queued: dict[Key, bool] = {}
        """The keys that are queued, and whether they can wait."""
        self._active: dict[Key, bool] = {}
        """The keys that are worked on, and whether they could wait."""
        self._again: dict[Key, bool] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: Counter[Key] = Counter()

    def __len__(self) -> int:
        return len(self._queued)

    def add(self, key: Key) -> None:
        """Work on the key as soon as possible."""
        self._add(key, can_wait=False)

    def add_patient(self, key: Key) -> None:
        """Work on the key when no other key needs it sooner, or after a few of them."""
        self._add(key, can_wait=True)

    def _add(self, key: Key, *, can_wait: bool) -> None:
        if key in self._active:
            self._again[key] = can_wait and self._again.get(key, True)
            return
        if can_wait >= self._queued.get(key, 2):
            return
        self._queued[key] = can_wait
        self._lines[can_wait].push(self._group(key), key)
        self._wake()

    def add_after(self, key: Key, seconds: float) -> None:
        """Work on the key after this time, or at its earlier appointment; it can wait then."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        known = self._timers.get(key)
        if known is not None and known.when() <= due:
            return
        self._drop_appointment(key)
        self._timers[key] = loop.call_at(due, self._due, key)

    def add_failed(self, key: Key, longest: float = MAX_BACKOFF) -> float:
        """Work on the key again after a delay that grows up to the longest; returns it, in seconds."""
        self._failures[key] += 1
        delay = min(longest, FIRST_BACKOFF * 2.0 ** min(self._failures[key] - 1, 10))
        self.add_after(key, delay)
        return delay

    def is_pressing(self, key: Key) -> bool:
        """Whether the key in work has been added again, or others are queued, that cannot wait."""
        return not (self._again.get(key, True) and all(self._queued.values()))

    def forget(self, key: Key) -> None:
        """Reset the key's backoff after a success."""
        self._failures.pop(key, None)

    async def get(self) -> Key | None:
        """Wait for a key, which the caller must return by `done`; None tells a worker to end."""
        while (key := self._next()) is None:
            if self._ends:
                self._ends -= 1
                return None
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        self._drop_appointment(key)  # whoever works on it sees what that was about, and makes the next one
        return key

    def end_worker(self) -> None:
        """Let one worker end, once it is idle."""
        self._ends += 1
        self._wake()

    def done(self, key: Key) -> None:
        """Return a key."""
        self._active.pop(key, None)
        can_wait = self._again.pop(key, None)
        if can_wait is not None:
            self._add(key, can_wait=can_wait)
        self._wake()  # another one that could wait may have its place

    def _next(self) -> Key | None:
        """Take a key out of the line whose turn it is, or else out of the other one; None where nothing is to be done.

        Each fourth turn is of those that can wait, as long as few of them are worked on.
        """
        first = (self._turn + 1) % PATIENCE == 0
        for can_wait in (first, not first):
            if can_wait and sum(self._active.values()) >= self._most_patient:
                continue
            line = self._lines[can_wait]
            while len(line):
                key = line.pop()
                if self._queued.get(key) == can_wait:
                    del self._queued[key]
                    self._active[key] = can_wait
                    self._turn += 1
                    return key
        return None

    def _wake(self) -> None:
        """Have a worker that waits look again."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _drop_appointment(self, key: Key) -> None:
        known = self._timers.pop(key, None)
        if known is not None:
            known.cancel()

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add_patient(key)
