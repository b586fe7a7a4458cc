from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from tests.unit.builders import job, trial
from tuning_operator.core.model.notice import Notice
from tuning_operator.runtime import metrics
from tuning_operator.runtime.kubernetes import events
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.kubernetes.events import EventRecorder

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from tuning_operator.core.model.job import Job
    from tuning_operator.runtime.kubernetes.cluster import Cluster

COMPLETED = Notice("TrialCompleted", "objective 0.5 after 3 epochs, 9 s", trial(1))


class FakeCluster:
    """Takes Events, or refuses them."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.refuses = False

    async def create_event(self, namespace: str, body: dict[str, Any]) -> None:
        assert namespace == body["metadata"]["namespace"]
        if self.refuses:
            raise ApiError(ErrorKind.FORBIDDEN, "events is forbidden")
        self.posted.append(body)


def recorder() -> tuple[FakeCluster, EventRecorder]:
    cluster = FakeCluster()
    return cluster, EventRecorder(cast("Cluster", cluster))


def counted() -> float:
    return metrics.REPEATED.labels("MeasurementChanged")._value.get()


async def test_what_is_counted_is_told_once_a_trial_and_counted_also_after_a_restart() -> None:
    cluster, it = recorder()
    before = counted()
    for epochs in (1, 2, 15, 15):
        for number in (1, 2):
            changed = Notice("MeasurementChanged", f"epoch {epochs} again", trial(number), warning=True, count=epochs)
            it.record(changed, job())
            await it.drain()
    assert [body["related"]["name"] for body in cluster.posted] == ["job-0001", "job-0002"]
    assert counted() - before == 30
    names = {body["metadata"]["name"] for body in cluster.posted}
    assert len(names) == 2
    again, other = recorder()
    other.record(Notice("MeasurementChanged", "epoch 9 again", trial(1), warning=True, count=1), job())
    await other.drain()
    assert {body["metadata"]["name"] for body in again.posted} <= names, "the API server knows it"


async def test_news_is_posted_once() -> None:
    cluster, it = recorder()
    for _ in range(3):
        it.record(COMPLETED, job())
        it.record(COMPLETED, job())
        await it.drain()
    assert [body["regarding"]["kind"] for body in cluster.posted] == ["HyperparameterTuningJob"]
    it.record(Notice("TargetReached", "done"), job())
    await it.drain()
    assert len(cluster.posted) == 2


async def test_news_that_could_not_be_posted_harms_nothing_and_is_posted_the_next_time() -> None:
    cluster, it = recorder()
    cluster.refuses = True
    it.record(COMPLETED, job())
    await it.drain()
    cluster.refuses = False
    it.record(COMPLETED, job())
    await it.drain()
    assert len(cluster.posted) == 1


async def test_nobody_waits_for_an_event_and_namespaces_take_turns() -> None:
    cluster, it = recorder()
    flood, quiet = replace(job(), namespace="flood"), replace(job(), namespace="quiet")
    for number in range(events.MOST_WAITING + 50):
        it.record(Notice("X", f"{number}"), flood)
    before = metrics.EVENTS_LOST._value.get()
    it.record(Notice("X", "one more"), flood)
    it.record(Notice("Y", "here, too"), quiet)
    assert cluster.posted == []
    assert metrics.EVENTS_LOST._value.get() - before == 1
    posting = asyncio.create_task(it.run())
    async with asyncio.timeout(30):
        while len(cluster.posted) <= events.MOST_WAITING:  # noqa: ASYNC110 - what is waited for is state of the fake
            await asyncio.sleep(0.01)
    posting.cancel()
    assert [body["reason"] for body in cluster.posted[:3]].count("Y") == 1


async def test_of_very_many_trials_a_part_has_events_and_what_was_decided_has_all() -> None:
    cluster, now = FakeCluster(), 0.0
    it = EventRecorder(cast("Cluster", cluster), clock=lambda: now)
    other = replace(job(), name="other", uid="other")

    async def posted(reason: str, job: Job, numbers: range) -> int:
        before = len(cluster.posted)
        for number in numbers:
            it.record(Notice(reason, f"{number}"), job)
        await it.drain()
        return len(cluster.posted) - before

    left_out = metrics.REPEATED.labels("TrialCreated")._value.get()
    assert await posted("TrialCreated", job(), range(20)) == 20
    assert await posted("TrialCompleted", job(), range(20)) == 20
    assert await posted("TrialCreated", job(), range(20, 60)) == 10
    assert metrics.REPEATED.labels("TrialCreated")._value.get() - left_out == 30
    assert await posted("TrialCreated", other, range(events.ROUTINE_AT_ONCE)) == events.ROUTINE_AT_ONCE
    assert await posted("TrialEarlyStopped", job(), range(100)) == 100
    now += 3 * events.ROUTINE_SECONDS
    assert await posted("TrialCompleted", job(), range(20, 40)) == 3
    now += 1e6
    assert await posted("TrialCompleted", job(), range(100, 200)) == events.ROUTINE_AT_ONCE


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "REMEMBERED", 10)
    cluster, it = recorder()
    for number in range(50):
        it.record(Notice("X", f"{number}"), job())
    await it.drain()
    cluster.posted.clear()
    for number in (49, 40, 39):  # what was remembered, and the newest that was not
        it.record(Notice("X", f"{number}"), job())
    await it.drain()
    assert [body["note"] for body in cluster.posted] == ["39"]


async def test_memory_of_budgets_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "REMEMBERED", 10)
    monkeypatch.setattr(events, "ROUTINE_AT_ONCE", 1)
    cluster = FakeCluster()
    it = EventRecorder(cast("Cluster", cluster), clock=lambda: 0.0)

    async def posted(numbers: Iterable[int], text: str) -> list[str]:
        cluster.posted.clear()
        for number in numbers:
            it.record(Notice("TrialCreated", text), replace(job(), uid=f"{number}"))
        await it.drain()
        return [body["regarding"]["uid"] for body in cluster.posted]

    assert len(await posted(range(50), "first")) == 50
    assert await posted((49, 40), "second") == []
    assert await posted((39,), "third") == ["39"]
