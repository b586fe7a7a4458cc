"""Which jobs a resync looks at, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.unit.runtime import virtual
from tuning_operator.runtime.health import Heartbeats
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.queue import OUTAGE_BACKOFF, JobKey
from tuning_operator.runtime.resync import Resync

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tuning_operator.runtime.kubernetes.cluster import Cluster

Body = dict[str, Any]


class Jobs:
    """An API server that lists jobs."""

    def __init__(self, list_jobs: Callable[[str], Awaitable[list[Body]]]) -> None:
        self.list_jobs = list_jobs


def body(name: str, phase: str = "Running", **spec: Any) -> Body:
    status = {"phase": phase, "observedGeneration": 1}
    return {"metadata": {"name": name, "namespace": "ns", "generation": 1}, "spec": spec, "status": status}


def resync(
    list_jobs: Callable[[str], Awaitable[list[Body]]],
    *,
    namespaces: tuple[str, ...] = ("ns",),
    due: Callable[[JobKey], None] = lambda _: None,
    needs_model: Callable[[JobKey], None] = lambda _: None,
    heartbeats: Heartbeats | None = None,
) -> Resync:
    cluster = cast("Cluster", Jobs(list_jobs))
    return Resync(cluster, namespaces, 60.0, heartbeats or Heartbeats(180.0), due, needs_model)


async def until(seconds: float, it: Resync) -> None:
    """Let a resync run for some time."""
    task = asyncio.create_task(it.run())
    await asyncio.sleep(seconds)
    assert not task.done(), task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_the_probe_blames_no_outage_but_a_part_that_stands_still() -> None:
    """An API server that lets each of many questions wait for 100 s, and the last one for ever."""

    async def stuck() -> list[str]:
        clock = asyncio.get_running_loop().time
        heartbeats = Heartbeats(180.0, clock)

        async def list_jobs(namespace: str) -> list[Body]:
            await asyncio.sleep(100)
            assert heartbeats.stuck() == []
            if namespace == "d":
                await asyncio.Event().wait()
            raise ApiError(ErrorKind.UNAVAILABLE, "no answer")

        await until(500, resync(list_jobs, namespaces=("a", "b", "c", "d"), heartbeats=heartbeats))
        return heartbeats.stuck()

    assert virtual.played(stuck()) == ["resync: no progress for 200 s"]


def test_a_resync_looks_at_jobs_that_have_something_to_do_and_the_first_one_loads_their_model() -> None:
    due: list[str] = []
    started: list[JobKey] = []

    async def list_jobs(_namespace: str) -> list[Body]:
        idle = [body(f"idle-{number}", "Suspended", suspend=True) for number in range(600)]
        ended = [body("ended", "Completed", strategy="Bayesian")]
        return [*idle, *ended, body("resumed", "Suspended", strategy="Grid"), body("runs", strategy="Bayesian")]

    virtual.played(until(119, resync(list_jobs, due=lambda key: due.append(key.name), needs_model=started.append)))
    assert due == ["resumed", "runs"] * 2
    assert started == [JobKey("ns", "runs")]


@pytest.mark.parametrize("fails", [True, False])
def test_a_resync_looks_at_one_job_after_the_other_unless_it_has_looked_at_none(fails: bool) -> None:
    """Each look lists all that a job has, and meanwhile slots of others become free."""
    done: list[tuple[str, float]] = []

    async def looks() -> None:
        clock = asyncio.get_running_loop().time

        async def list_jobs(_namespace: str) -> list[Body]:
            done.append(("list", clock()))
            if fails and len(done) == 1:
                raise ApiError(ErrorKind.UNAVAILABLE, "no answer")
            return [body("a"), body("b")]

        await until(150, resync(list_jobs, due=lambda key: done.append((key.name, clock()))))

    virtual.played(looks())
    at = OUTAGE_BACKOFF if fails else 0.0
    at_once, spread = [("list", at), ("a", at), ("b", at)], [("list", at + 60), ("a", at + 60), ("b", at + 75)]
    assert done == [("list", 0.0)] * fails + at_once + spread + [("list", at + 120), ("a", at + 120), ("b", at + 135)]
