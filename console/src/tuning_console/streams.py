"""Live pages: what is there, then what changes, until five minutes are over or the token is.

A watch outlives its token: the API server checks it once. So the token is shown again every few seconds, and the stream
ends when it is refused.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuning_console.errors import ConsoleError, ExpiredError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from tuning_console.frames import Frames
    from tuning_console.questions import Question
    from tuning_console.upstream import Caller, Upstream

Event = dict[str, Any]
# The queue is short on purpose: without a reader the API server waits, and memory does not grow.
_QUEUE = 8


@dataclass(frozen=True)
class Limits:
    """Bounds of a stream, in seconds.

    Attributes:
        life: after which it ends and the browser asks again.
        recheck: between two looks at whether the token is still good.
        beat: between two signs of life when nothing changes.
        patience: that the browser has to take a frame.
    """

    life: float = 300.0
    recheck: float = 10.0
    beat: float = 15.0
    patience: float = 20.0


@dataclass(frozen=True)
class Watch:
    """What to follow, from where, and what to make of it.

    Attributes:
        question: a list.
        version: the resource version that the browser has.
        frame: makes a frame of an event; None where the browser need not know.
    """

    question: Question
    version: str
    frame: Callable[[Event], dict[str, Any] | None]


async def follow(
    upstream: Upstream,
    caller: Caller,
    watches: Sequence[Watch],
    rechecks: Sequence[Question],
    frames: Frames,
    limits: Limits,
) -> dict[str, Any]:
    """Send what changes; returns why that has ended."""
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_QUEUE)
    life = asyncio.timeout(limits.life)
    end: dict[str, Any] = {"reason": "limit", "message": "a stream ends after five minutes"}
    try:
        async with life, asyncio.TaskGroup() as tasks:
            for watch in watches:
                tasks.create_task(_watch(upstream, caller, watch, queue, limits.life))
            tasks.create_task(_recheck(upstream, caller, rechecks, limits.recheck))
            tasks.create_task(_pass_on(queue, frames, limits.beat))
    except* ExpiredError:
        end = EXPIRED
    except* ConsoleError as group:
        end = refused(first_of(group))
    except* TimeoutError:
        if not life.expired():
            raise
    return end


async def _watch(
    upstream: Upstream, caller: Caller, watch: Watch, queue: asyncio.Queue[dict[str, Any]], seconds: float
) -> None:
    """Follow a list; where the API server ends a watch, the next one begins where that one was."""
    version = watch.version
    while True:
        async with aclosing(_events(upstream, watch.question.watched(version, seconds), caller)) as events:
            async for event in events:
                version = event["object"]["metadata"]["resourceVersion"]
                frame = watch.frame(event)
                if frame is not None:
                    await queue.put(frame)


async def _events(upstream: Upstream, question: Question, caller: Caller) -> AsyncGenerator[Event, None]:
    async with aclosing(upstream.watch(question, caller)) as watched:
        async for event in watched:
            yield event
    # One that ends at once must not be asked for without a pause.
    await asyncio.sleep(1)


async def _recheck(upstream: Upstream, caller: Caller, rechecks: Sequence[Question], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        for question in rechecks:
            await upstream.text(question, caller)


async def _pass_on(queue: asyncio.Queue[dict[str, Any]], frames: Frames, beat: float) -> None:
    while True:
        try:
            async with asyncio.timeout(beat):
                frame = await queue.get()
        except TimeoutError:
            frame = {"beat": True}
        await frames.send(frame)


EXPIRED = {"reason": "expired", "message": "too much has changed since: reading everything again"}


def refused(error: ConsoleError) -> dict[str, Any]:
    """What the last frame says of an error."""
    return {"reason": "refused", "message": error.message, "status": error.status, "source": error.source}


def first_of(error: BaseException) -> ConsoleError:
    """The first error of a group of nothing but `ConsoleError`."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ConsoleError)  # noqa: S101 - the group was filtered by this type
    return error
