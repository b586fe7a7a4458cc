"""Waiting for what a cluster does in its own time: by asking again and again, never by a fixed pause."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

POLL_SECONDS = 0.1


def wait_until(
    condition: Callable[[], T | None],
    what: str,
    seconds: float = 120,
    describe: Callable[[], object] = lambda: "",
) -> T:
    """Ask until the answer is neither None nor false; fail after that many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}\n{describe()}")
        time.sleep(POLL_SECONDS)
