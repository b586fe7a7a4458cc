from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.runtime import virtual
from tuning_operator.runtime.queue import JobKey
from tuning_operator.runtime.turns import Turns
from tuning_operator.runtime.usage import HALF_LIFE, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence


Log = list[tuple[float, JobKey]]


async def use(turns: Turns[int], job: JobKey, seconds: float, log: Log) -> None:
    async with turns.turn(job):
        log.append((asyncio.get_running_loop().time(), job))
        await asyncio.sleep(seconds)


def played(places: int, uses: Callable[[Turns[int], Log], Sequence[Coroutine[Any, Any, None]]]) -> Log:
    """Let jobs use places in virtual time; returns when each got its turn."""
    log: Log = []

    async def main() -> None:
        turns = Turns(range(places))
        await asyncio.gather(*uses(turns, log))

    virtual.played(main())
    return log


CANARY = JobKey("quiet", "canary")


def test_whoever_has_used_least_is_next() -> None:
    hogs = [JobKey("loud", f"hog-{number}") for number in range(20)]

    async def canary(turns: Turns[int], log: Log) -> None:
        for _ in range(5):
            await asyncio.sleep(10)
            await use(turns, CANARY, 1, log)

    log = played(1, lambda turns, log: [*(use(turns, hog, 60, log) for hog in hogs), canary(turns, log)])
    waits = [at for at, job in log if job == CANARY]
    assert waits == [60, 121, 182, 243, 304]  # the next turn each time, and not one after twenty others


def test_one_place_is_kept_for_other_namespaces() -> None:
    hogs = [JobKey("loud", f"hog-{number}") for number in range(4)]
    asked = 30.0

    async def canary(turns: Turns[int], log: Log) -> None:
        await asyncio.sleep(asked)
        await use(turns, CANARY, 1, log)

    log = played(2, lambda turns, log: [*(use(turns, hog, 60, log) for hog in hogs), canary(turns, log)])
    assert [at for at, job in log if job == CANARY] == [asked]
    assert [at for at, job in log if job != CANARY] == [0, 60, 120, 180]


def test_jobs_of_a_namespace_take_turns_and_old_use_is_forgotten() -> None:
    one, other = JobKey("ns", "one"), JobKey("ns", "other")

    async def twice(turns: Turns[int], log: Log) -> None:
        await use(turns, one, 100, log)
        await asyncio.gather(use(turns, one, 5, log), use(turns, one, 5, log), use(turns, other, 5, log))
        await asyncio.sleep(40 * HALF_LIFE)
        await use(turns, other, 0, log)

    assert [job for _, job in played(1, lambda turns, log: [twice(turns, log)])] == [one, one, other, one, other]


def test_what_is_long_past_takes_no_memory() -> None:
    usage = Usage()
    usage.charge(("ns", "one"), 100, now=100)
    usage.charge(("ns", "other"), 5, now=100 + HALF_LIFE)
    assert usage.seconds == {"ns": 55, "one": 50, "other": 5}
    usage.charge(("ns", "other"), 0, now=100 + 41 * HALF_LIFE)
    assert usage.seconds == {}


async def test_a_waiter_that_gives_up_leaves_no_place_behind() -> None:
    turns = Turns([1])
    started = asyncio.Event()

    async def hold() -> None:
        async with turns.turn(CANARY):
            started.set()
            await asyncio.sleep(3600)

    holder = asyncio.create_task(hold())
    await started.wait()
    waiting = [asyncio.create_task(hold()) for _ in range(3)]
    await asyncio.sleep(0)
    started.clear()
    waiting[0].cancel()
    holder.cancel()
    await asyncio.sleep(0)
    waiting[1].cancel()  # in the moment in which the place is handed to it
    for task in (holder, waiting[0], waiting[1]):
        await asyncio.gather(task, return_exceptions=True)
    async with asyncio.timeout(5):
        await started.wait()
    waiting[2].cancel()
    await asyncio.gather(waiting[2], return_exceptions=True)
    async with asyncio.timeout(5), turns.turn(CANARY) as place:
        assert place == 1


@given(
    st.integers(1, 3),
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(0, 50), st.integers(0, 9)), max_size=30
    ),
)
def test_everybody_gets_a_turn_and_no_place_is_held_twice(places: int, wishes: list[tuple[str, str, int, int]]) -> None:
    held: set[int] = set()

    async def wish(turns: Turns[int], log: Log, at: int, job: JobKey, seconds: int) -> None:
        await asyncio.sleep(at)
        async with turns.turn(job) as place:
            assert place not in held
            held.add(place)
            log.append((asyncio.get_running_loop().time(), job))
            await asyncio.sleep(seconds)
            held.discard(place)

    log = played(
        places,
        lambda turns, log: [wish(turns, log, at, JobKey(space, name), seconds) for space, name, at, seconds in wishes],
    )
    assert len(log) == len(wishes)
    assert not held
