"""Time that passes only when everybody sleeps: hours of waiting take milliseconds, and are exact."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

Result = TypeVar("Result")


class Loop(asyncio.SelectorEventLoop):
    """An event loop that jumps to the next appointment when nothing is left to do."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        appointments = [each.when() for each in self._scheduled if not each.cancelled()]  # type: ignore[attr-defined]
        if not self._ready and appointments:  # type: ignore[attr-defined]
            self.now = max(self.now, min(appointments))
        super()._run_once()  # type: ignore[misc]


def played(work: Coroutine[Any, Any, Result]) -> Result:
    """Run in virtual time, which begins at zero."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(work)
