"""What an event leads to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.unit.runtime import virtual
from tests.unit.simulation.connection import Connection
from tests.unit.simulation.world import World
from tuning_operator.runtime.kubernetes.store import Store
from tuning_operator.runtime.listener import SOON, Listener
from tuning_operator.runtime.queue import JobKey, WorkQueue

if TYPE_CHECKING:
    from tuning_operator.runtime.kubernetes.cluster import Cluster

Body = dict[str, Any]
JOB = JobKey("ns", "job")


def pod(name: str, version: int, phase: str = "Running", job: str = "job") -> Body:
    labels = {"tuning-operator.dev/job": job} if job else {}
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "labels": labels,
        },
        "spec": {"containers": [{"name": "train"}]},
        "status": {"phase": phase},
    }


class Bench:
    """A listener, and what it leads to."""

    def __init__(self) -> None:
        self.store = Store(cast("Cluster", Connection(World({}, 0))), lambda *_: True)
        self.queue: WorkQueue[JobKey] = WorkQueue()
        self.freed: list[str] = []
        self.listener = Listener(self.store, self.queue, self.freed.append)

    async def queued(self) -> list[JobKey]:
        keys = [key for _ in range(len(self.queue)) if (key := await self.queue.get())]
        for key in keys:
            self.queue.done(key)
        return keys


def heard(*events: tuple[str, Body]) -> tuple[list[JobKey], list[JobKey], list[str], int]:
    """The jobs that events of Pods lead to at once and soon, whose quota they free, and how many Pods are noted."""

    async def led_to() -> tuple[list[JobKey], list[JobKey], list[str], int]:
        it = Bench()
        for kind, body in events:
            it.listener.heard("pods", kind, body)
        at_once = await it.queued()
        await asyncio.sleep(SOON)
        soon = await it.queued()
        await asyncio.sleep(3600)
        assert await it.queued() == []
        return at_once, soon, it.freed, len(it.store.departed)

    return virtual.played(led_to())


@pytest.mark.parametrize(("job", "keys"), [("job", [JOB]), ("", [])])
def test_an_event_leads_to_the_job_of_its_label(job: str, keys: list[JobKey]) -> None:
    assert heard(("MODIFIED", pod("job-0001-1", 1, "Failed", job=job))) == (keys, [], ["ns"], 0)


@pytest.mark.parametrize(
    ("kind", "phase", "freed", "noted"),
    [
        ("DELETED", "Running", True, 0),
        ("DELETED", "Succeeded", True, 1),
        ("MODIFIED", "Failed", True, 0),
        ("MODIFIED", "Running", False, 0),
        ("ADDED", "Pending", False, 0),
    ],
)
def test_a_pod_that_ends_or_goes_frees_a_slot_and_quota_and_one_that_goes_is_noted(
    kind: str, phase: str, freed: bool, noted: int
) -> None:
    lists = ([JOB], []) if freed else ([], [JOB])
    assert heard((kind, pod("job-0001-1", 1, phase))) == (*lists, ["ns"] * freed, noted)


def test_pods_that_start_together_have_one_pass() -> None:
    events = [("MODIFIED", pod(f"job-{number:04d}-1", number, "Running")) for number in range(1, 50)]
    assert heard(*events) == ([], [JOB], [], 0)


async def test_after_a_gap_the_jobs_are_looked_at_whose_events_may_have_been_missed() -> None:
    it = Bench()
    for job in ("one", "two"):
        await it.store.pods(JobKey("ns", job))
    it.listener.missed("jobs", "ns")
    it.listener.missed("pods", "other")
    assert len(it.queue) == 0
    it.listener.missed("pods", "ns")
    assert await it.queued() == [JobKey("ns", "one"), JobKey("ns", "two")]
