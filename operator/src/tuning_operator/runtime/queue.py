"""A keyed work queue, after client-go's: a key waits once, and two workers never hold the same key.

A key that is added while it is worked on comes back afterwards, so no change is missed. Keys of different groups take
turns, so six hundred jobs of one namespace delay a job of another by at most one pass. Keys that can wait let the
others go first, since new epochs of thirty jobs arrive together, and a free slot is a GPU that stands idle.
"""

from __future__ import annotations

import asyncio
from collections import Counter
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
"""Each turn of this number is for a key that can wait: others may never end."""


class JobKey(NamedTuple):
    """Namespace and name of a HyperparameterTuningJob."""

    namespace: str
    name: str


class WorkQueue(Generic[Key]):
    """Keys to reconcile: de-duplicated, with delays and exponential backoff for each key.

    Args:
        group: With whom a key takes turns; by default no key has a group to itself.
    """

    def __init__(self, group: Callable[[Key], Hashable] = lambda _: None) -> None:
        self._group = group
        self._lines: dict[bool, FairLine[Key]] = {False: FairLine(), True: FairLine()}
        """Keys, and those that can wait. One that cannot wait any more is in both, and has its place in the first."""
        self._turn = 0
        self._wakeups: asyncio.Queue[bool] = asyncio.Queue()
        """One entry for each key that is queued, and a False for each worker that must end."""
        self._queued: dict[Key, bool] = {}
        """The keys that are queued, and whether they can wait."""
        self._active: set[Key] = set()
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
        known = self._queued.get(key)
        if known is None:
            self._wakeups.put_nowait(True)
        elif can_wait or not known:
            return
        self._queued[key] = can_wait
        self._lines[can_wait].push(self._group(key), key)

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
        """Whether the key in work has been added again, or others wait."""
        return key in self._again or len(self._queued) > 0

    def forget(self, key: Key) -> None:
        """Reset the key's backoff after a success."""
        self._failures.pop(key, None)

    async def get(self) -> Key | None:
        """Wait for a key, which the caller must return by `done`; None tells a worker to end."""
        if not await self._wakeups.get():
            return None
        key = self._next()
        self._drop_appointment(key)  # whoever works on it sees what that was about, and makes the next one
        self._active.add(key)
        return key

    def end_worker(self) -> None:
        """Let one worker end, once it is idle."""
        self._wakeups.put_nowait(False)

    def done(self, key: Key) -> None:
        """Return a key."""
        self._active.discard(key)
        can_wait = self._again.pop(key, None)
        if can_wait is not None:
            self._add(key, can_wait=can_wait)

    def _next(self) -> Key:
        """Take a key out of the line whose turn it is, or else out of the other one."""
        self._turn += 1
        first = self._turn % PATIENCE == 0
        for can_wait in (first, not first):
            line = self._lines[can_wait]
            while len(line):
                key = line.pop()
                if self._queued.get(key) == can_wait:
                    del self._queued[key]
                    return key
        raise IndexError("no key is queued")

    def _drop_appointment(self, key: Key) -> None:
        known = self._timers.pop(key, None)
        if known is not None:
            known.cancel()

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add_patient(key)
