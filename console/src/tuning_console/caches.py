"""Keeps what was read, separately for each caller: nothing read with one token is ever shown to another."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_CALLERS, _ENTRIES, _SECONDS = 200, 500, 300.0


class Caches:
    """One small cache a caller.

    Args:
        clock: seconds; an entry is forgotten after five minutes, since a right may have been taken away.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._callers: OrderedDict[str, OrderedDict[Hashable, tuple[float, Any]]] = OrderedDict()

    def get(self, caller: str, key: Hashable) -> Any | None:
        """Return what this caller was shown under a key; None if it must be read."""
        entries = self._callers.get(caller, OrderedDict())
        if key not in entries:
            return None
        kept, value = entries[key]
        if self._clock() - kept > _SECONDS:
            del entries[key]
            return None
        return value

    def put(self, caller: str, key: Hashable, value: Any) -> None:
        """Keep what this caller is shown; what was used least recently has to go when there is too much."""
        entries = self._callers.setdefault(caller, OrderedDict())
        self._callers.move_to_end(caller)
        entries[key] = (self._clock(), value)
        entries.move_to_end(key)
        if len(entries) > _ENTRIES:
            entries.popitem(last=False)
        if len(self._callers) > _CALLERS:
            self._callers.popitem(last=False)

    def forget(self, caller: str) -> None:
        """Drop all that a caller was shown: the API server no longer knows it."""
        self._callers.pop(caller, None)

    def __len__(self) -> int:
        return sum(map(len, self._callers.values()))
