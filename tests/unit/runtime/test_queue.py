from __future__ import annotations

import asyncio

import pytest

from tests.unit.runtime import virtual
from tuning_operator.runtime.queue import FIRST_BACKOFF, MAX_BACKOFF, OUTAGE_BACKOFF, JobKey, WorkQueue


async def next_key(queue: WorkQueue[str]) -> str | None:
    return await asyncio.wait_for(queue.get(), 5)


async def test_a_key_waits_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "a", "b", "a"):
        queue.add(key)
    assert len(queue) == 2
    assert [await next_key(queue), await next_key(queue)] == ["a", "b"]
    assert len(queue) == 0


async def test_a_key_is_never_worked_on_twice_at_the_same_time() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await next_key(queue) == "a"
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert len(queue) == 1
    assert await next_key(queue) == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_giving_back_a_key_that_nobody_added_again_does_not_bring_it_back() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.done(str(await next_key(queue)))
    queue.add("b")
    assert await next_key(queue) == "b"


async def test_a_delayed_key_comes_by_itself() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 0.01)
    assert len(queue) == 0
    assert await next_key(queue) == "a"


@pytest.mark.parametrize("delays", [(1.0, 60.0), (60.0, 1.0)])
def test_the_earliest_appointment_stands_alone(delays: tuple[float, float]) -> None:
    async def waits() -> float:
        queue: WorkQueue[str] = WorkQueue()
        for delay in delays:
            queue.add_after("a", delay)
        assert await next_key(queue) == "a"
        queue.done("a")
        found = asyncio.get_running_loop().time()
        await asyncio.sleep(3600)
        assert len(queue) == 0
        return found

    assert virtual.played(waits()) == 1.0


async def test_an_appointment_during_the_work_is_kept_for_after_it() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    await next_key(queue)
    queue.add_after("a", 0.001)
    queue.add_after("b", 0.002)
    assert await next_key(queue) == "b"
    assert len(queue) == 0
    queue.done("a")
    assert await next_key(queue) == "a"


async def test_work_makes_up_for_an_appointment() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 0.001)
    queue.add("a")
    assert await next_key(queue) == "a"
    queue.done("a")
    queue.add_after("b", 0.003)
    assert await next_key(queue) == "b"
    assert len(queue) == 0


async def test_failures_back_off_and_a_success_forgets_them() -> None:
    queue: WorkQueue[str] = WorkQueue()
    delays = [queue.add_failed("a") for _ in range(10)]
    assert delays[:4] == [FIRST_BACKOFF, 2 * FIRST_BACKOFF, 4 * FIRST_BACKOFF, 8 * FIRST_BACKOFF]
    assert delays[-1] == MAX_BACKOFF
    assert queue.add_failed("b") == FIRST_BACKOFF
    queue.forget("a")
    assert queue.add_failed("a") == FIRST_BACKOFF
    queue.forget("never failed")


async def test_a_server_that_is_away_is_tried_again_every_few_seconds() -> None:
    queue: WorkQueue[str] = WorkQueue()
    delays = [queue.add_failed("a", OUTAGE_BACKOFF) for _ in range(10)]
    assert delays[:3] == [FIRST_BACKOFF, 2 * FIRST_BACKOFF, 4 * FIRST_BACKOFF]
    assert delays[-1] == OUTAGE_BACKOFF


async def test_an_outage_of_days_is_no_overflow() -> None:
    queue: WorkQueue[str] = WorkQueue()
    assert {queue.add_failed("a") for _ in range(3000)} >= {MAX_BACKOFF}


async def test_workers_end_when_they_are_idle() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    queue.end_worker()
    assert await next_key(queue) == "a"
    assert await next_key(queue) is None


async def test_groups_take_turns_and_within_a_group_the_first_comes_first() -> None:
    queue: WorkQueue[JobKey] = WorkQueue(lambda key: key.namespace)
    for number in range(600):
        queue.add(JobKey("hog", f"job-{number}"))
    for _ in range(2):
        queue.add(JobKey("canary", "job"))
    queue.add(JobKey("other", "job"))
    order = [await asyncio.wait_for(queue.get(), 5) for _ in range(5)]
    assert order == [
        JobKey("hog", "job-0"),
        JobKey("canary", "job"),
        JobKey("other", "job"),
        JobKey("hog", "job-1"),
        JobKey("hog", "job-2"),
    ]
    assert len(queue) == 597


async def test_a_key_that_comes_back_waits_for_one_turn_of_a_flood() -> None:
    queue: WorkQueue[JobKey] = WorkQueue(lambda key: key.namespace)
    canary, turns = JobKey("canary", "job"), []
    for number in range(100):
        queue.add(JobKey("hog", f"job-{number}"))
    queue.add(canary)
    for turn in range(20):
        key = await asyncio.wait_for(queue.get(), 5)
        assert key is not None
        if key == canary:
            turns.append(turn)
            queue.add(canary)
        queue.done(key)
    assert turns == list(range(1, 20, 2))


async def test_who_can_wait_lets_the_others_go_first_and_has_a_turn_all_the_same() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for number in range(6):
        queue.add_patient(f"new epochs of {number}")
        queue.add(f"a free slot of {number}")
    order = [await next_key(queue) for _ in range(12)]
    slots = [f"a free slot of {number}" for number in range(6)]
    assert order[:8] == [*slots[:3], "new epochs of 0", *slots[3:], "new epochs of 1"]
    assert order[8:] == [f"new epochs of {number}" for number in range(2, 6)]
    assert len(queue) == 0


@pytest.mark.parametrize("first", [True, False])
async def test_a_key_waits_once_and_does_not_wait_any_more_when_it_cannot(first: bool) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_patient("other")
    for can_wait in (first, not first):
        (queue.add_patient if can_wait else queue.add)("a")
    assert len(queue) == 2
    assert [await next_key(queue), await next_key(queue)] == ["a", "other"]
    for key in ("a", "other"):
        queue.done(key)
    queue.add_patient("a")
    assert await next_key(queue) == "a"
    assert len(queue) == 0


@pytest.mark.parametrize("patient", [True, False])
async def test_a_key_that_comes_back_waits_only_if_all_that_it_comes_back_for_can_wait(patient: bool) -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert await next_key(queue) == "a"
    queue.add_patient("a")
    if not patient:
        queue.add("a")
    queue.add_patient("a")
    assert queue.is_pressing("a") is not patient
    queue.add_patient("c")
    assert queue.is_pressing("a") is not patient
    queue.done("a")
    queue.add("b")
    assert await next_key(queue) == ("b" if patient else "a")


async def test_of_those_that_can_wait_few_are_worked_on_at_a_time() -> None:
    queue: WorkQueue[str] = WorkQueue(patient=2)
    for number in range(4):
        queue.add_patient(f"new epochs of {number}")
    taken = [await next_key(queue) for _ in range(2)]
    third = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert (taken, third.done(), len(queue)) == (["new epochs of 0", "new epochs of 1"], False, 2)
    queue.add("a free slot")
    assert await asyncio.wait_for(third, 5) == "a free slot"
    queue.done("a free slot")
    waits = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waits.done()
    queue.done("new epochs of 1")
    assert await asyncio.wait_for(waits, 5) == "new epochs of 2"
    queue.end_worker()
    queue.done("new epochs of 0")
    assert [await next_key(queue), await next_key(queue)] == ["new epochs of 3", None]
