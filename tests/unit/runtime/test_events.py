from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tests.unit.builders import job, trial
from tuning_operator.core.model.notice import Notice
from tuning_operator.runtime import metrics
from tuning_operator.runtime.kubernetes import events
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.kubernetes.events import EventRecorder

if TYPE_CHECKING:
    import pytest

    from tuning_operator.runtime.kubernetes.cluster import Cluster

STARTED = Notice("TrialStarted", "attempt 1 started training", trial(1))


class FakeCluster:
    """Takes Events, or refuses them."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []
        self.refuses = False

    async def create_event(self, namespace: str, body: dict[str, Any]) -> None:
        assert namespace == "ns"
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
            await it.record(changed, job())
    assert [body["regarding"]["name"] for body in cluster.posted] == ["job-0001", "job", "job-0002", "job"]
    assert counted() - before == 30
    names = {body["metadata"]["name"] for body in cluster.posted}
    assert len(names) == 4
    again, other = recorder()
    await other.record(Notice("MeasurementChanged", "epoch 9 again", trial(1), warning=True, count=1), job())
    assert {body["metadata"]["name"] for body in again.posted} <= names, "the API server knows it"


async def test_news_is_posted_once() -> None:
    cluster, it = recorder()
    for _ in range(3):
        await it.record(STARTED, job())
    assert [body["regarding"]["kind"] for body in cluster.posted] == ["TuningTrial", "HyperparameterTuningJob"]
    await it.record(Notice("TargetReached", "done"), job())
    assert len(cluster.posted) == 3


async def test_news_that_could_not_be_posted_harms_nothing_and_is_posted_the_next_time() -> None:
    cluster, it = recorder()
    cluster.refuses = True
    await it.record(STARTED, job())
    cluster.refuses = False
    await it.record(STARTED, job())
    assert len(cluster.posted) == 2


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "REMEMBERED", 10)
    _, it = recorder()
    for number in range(50):
        await it.record(Notice("X", f"{number}"), job())
    assert len(it._posted) == 10
