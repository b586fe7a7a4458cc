"""Whether the operator is alive: it is while its parts make progress.

Answers of Prometheus or the API server do not count, since a restart would not help them.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Heartbeats:
    """Remembers when each part last made progress.

    Args:
        stale_after: Seconds without progress after which a part counts as stuck.
        clock: Monotonic seconds.
    """

    def __init__(self, stale_after: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stale_after = stale_after
        self._clock = clock
        self._beats: dict[str, float] = {}
        self._working: dict[str, float] = {}

    def beat(self, part: str) -> None:
        """Note the progress of a part that should make some all the time."""
        self._beats[part] = self._clock()

    @contextlib.contextmanager
    def working(self, part: str) -> Iterator[None]:
        """Note the beginning and end of a piece of work; an idle part is not stuck."""
        self._working[part] = self._clock()
        try:
            yield
        finally:
            del self._working[part]

    def stuck(self) -> list[str]:
        """Return the parts that make no progress, each with its seconds."""
        now = self._clock()
        waiting = {**self._beats, **self._working}
        return [
            f"{part}: no progress for {now - since:.0f} s"
            for part, since in sorted(waiting.items())
            if now - since > self._stale_after
        ]
