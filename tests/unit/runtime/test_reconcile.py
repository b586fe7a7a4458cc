"""What a pass does beside deciding; whole histories are in `tests/unit/simulation/test_simulation.py`."""

from __future__ import annotations

import asyncio
import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.runtime.passes import Bench, Body
from tests.unit.simulation.objects import KEY
from tests.unit.simulation.operator import SimulatedOperator
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.reconciler.curvebudget import AT_ONCE_IF_URGENT, WRITES
from tuning_operator.runtime.reconciler.status import LONGEST_PAUSE

if TYPE_CHECKING:
    from tuning_operator.runtime.kubernetes.cluster import Listed


def test_the_intents_come_first_then_their_pods(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(runner)
    it.world.suggests_slowly = True
    it.reconcile()
    assert (list(it.world.trials), list(it.world.pods)) == ([], [])  # the suggestions are being computed
    created: list[str] = []
    for call in ("create_trial", "create_attempt"):
        monkeypatch.setattr(it.connection, call, noting(getattr(it.connection, call), created))
    it.reconcile()
    assert created == ["job-0001", "job-0002", "job-0001-1", "job-0002-1"]


def noting(works: Any, created: list[str]) -> Any:
    """The request, which also says what it creates."""

    async def create(namespace: str, body: Body, **how: Any) -> Any:
        created.append(body["metadata"]["name"])
        return await works(namespace, body, **how)

    return create


def test_a_slot_is_filled_in_the_pass_that_sees_it_free(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile()
    for fate in ("start all", "report all", "succeed unscraped"):
        it.world.befall(fate, 0)
        it.reconcile()
    assert list(it.world.pods) == ["job-0001-1", "job-0002-1", "job-0003-1"]
    assert (it.status["trialCounts"]["completed"], it.status["trialCounts"]["pending"]) == (1, 1)


def test_a_pass_over_an_unchanged_cluster_writes_nothing(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile(6)
    writes = it.world.writes
    it.reconcile(5)
    it.operator = SimulatedOperator(it.world, runner)
    it.reconcile(5)
    assert it.world.writes == writes


@pytest.mark.parametrize(
    ("call", "expected"), [("delete_attempt", ["job-0001", "job-0002"]), ("patch_trial_status", ["job-0001"])]
)
def test_what_has_been_committed_is_told_of_though_the_pass_fails(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, call: str, expected: list[str]
) -> None:
    it = Bench(runner)
    it.reconcile(4)
    it.world.job["spec"]["stop"] = True
    works, events = getattr(it.connection, call), []

    async def changed_meanwhile(*about: Any) -> Any:
        if any(str(each).startswith("job-0002") for each in about):
            raise ApiError(ErrorKind.CONFLICT, "job-0002 has changed")
        return await works(*about)

    async def create_event(_namespace: str, body: Body) -> None:
        if body["reason"] == "TrialStopped":
            events.append(body["related"]["name"])

    monkeypatch.setattr(it.connection, call, changed_meanwhile)
    monkeypatch.setattr(it.connection, "create_event", create_event)
    with pytest.raises(ApiError, match="has changed"):
        runner.run(it.operator.reconciler.reconcile(KEY))
    runner.run(it.operator.recorder.drain())
    assert events == expected
    monkeypatch.setattr(it.connection, call, works)
    it.reconcile()
    assert events == ["job-0001", "job-0002"]


@pytest.mark.parametrize("answer", ["gone", "going"])
def test_a_job_that_is_gone_is_left_alone(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    it = Bench(runner)
    it.reconcile(3)
    it.world.befall("start all", 0)
    it.reconcile()
    assert it.operator.poller.namespaces == {"ns"}
    writes = it.world.writes
    if answer == "going":
        it.world.job["metadata"]["deletionTimestamp"] = "2026-05-04T12:00:00Z"
    else:

        async def gone(*_: object) -> Body:
            raise ApiError(ErrorKind.NOT_FOUND, "not found")

        monkeypatch.setattr(it.connection, "get_job", gone)
    it.reconcile(2)
    assert it.world.writes == writes
    assert it.operator.poller.namespaces == set()


def test_a_job_of_another_controller_is_left_alone(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.world.job["spec"] |= {"managedBy": "example.com/another", "suspend": "what another version may mean by it"}
    before = dict(it.world.job)
    it.reconcile(3)
    it.report("a request failed")
    assert (it.world.writes, it.world.job) == (0, before)
    assert not it.world.pods


def test_a_pass_that_fails_leaves_no_write_under_way(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(runner)
    it.reconcile(4)
    it.world.befall("start all", 0)
    written = []

    async def patch(_namespace: str, name: str, *_: object) -> Body:
        if name == "job-0001":
            raise ApiError(ErrorKind.CONFLICT, "the object has been modified")
        for _step in range(5):
            await asyncio.sleep(0)
        written.append(name)
        return {"metadata": {"name": name, "namespace": "ns", "uid": "uid", "resourceVersion": "1"}}

    monkeypatch.setattr(it.connection, "patch_trial_status", patch)
    it.operator.hear()
    with pytest.raises(ApiError, match="modified"):
        runner.run(it.operator.reconciler.reconcile(KEY))
    assert written == ["job-0002"]


def test_of_an_edit_that_changes_nothing_an_ended_job_shows_that_it_was_seen(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.world.job["spec"]["stop"] = True
    it.reconcile()
    record = dict(it.status)
    assert record["phase"] == "Stopped"
    it.world.job["spec"]["limits"]["maxTrials"] = 9
    it.world.job["metadata"]["generation"] = 2
    it.reconcile(2)
    assert it.status == record | {"observedGeneration": 2}
    writes = it.world.writes
    it.reconcile()
    assert it.world.writes == writes


@pytest.mark.parametrize(("cleanup", "read"), [("Keep", 0), ("Delete", 1)])
def test_of_an_ended_job_the_trials_are_read_only_where_pods_are_to_go(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, cleanup: str, read: int
) -> None:
    it = Bench(runner, maxTrials=1)
    for fate in ("start all", "report all", "succeed unscraped"):
        it.reconcile()
        it.world.befall(fate, 0)
    it.reconcile(2)  # before it ends, all is listed once more
    assert it.status["phase"] == "Completed"
    it.world.job["spec"]["podCleanup"] = cleanup
    it.operator = SimulatedOperator(it.world, runner)
    listed, works = [], it.connection.list_of_job

    async def list_of_job(plural: str, *about: str) -> Listed:
        listed.append(plural)
        return await works(plural, *about)

    monkeypatch.setattr(it.connection, "list_of_job", list_of_job)
    it.reconcile()
    assert listed.count("tuningtrials") == read
    assert (it.world.pods["job-0001-1"].deleted is not None) == (cleanup == "Delete")


def test_an_ended_job_is_deleted_when_its_time_is_over(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile(4)
    it.world.job["spec"] |= {"stop": True, "ttlSecondsAfterFinished": 60}
    it.reconcile(3)
    assert it.status["phase"] == "Stopped"
    it.world.now += timedelta(seconds=59)
    it.reconcile(2)
    assert runner.run(it.operator.reconciler.reconcile(KEY)).wake_after == timedelta(seconds=1)
    assert not it.world.deleted
    it.world.now += timedelta(seconds=1)
    it.reconcile(2)
    assert it.world.deleted


def test_a_failure_shows_in_a_condition_and_goes_when_a_pass_succeeds(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile(4)
    it.world.now = it.world.now.replace(minute=5)
    it.report("HTTP 500: boom")
    failed = it.condition("Reconciled")
    assert (failed["status"], failed["reason"], failed["message"]) == ("False", "ReconcileError", "HTTP 500: boom")
    assert failed["lastTransitionTime"] == "2026-05-04T12:05:00Z"
    assert it.condition("TemplateValid")["status"] == "True"
    it.world.now = it.world.now.replace(minute=6)
    writes = it.world.writes
    it.report("HTTP 500: boom")
    assert it.world.writes == writes
    it.report("HTTP 503: worse")
    assert it.condition("Reconciled")["message"] == "HTTP 503: worse"
    assert it.condition("Reconciled")["lastTransitionTime"] == "2026-05-04T12:05:00Z"
    it.reconcile()
    assert it.condition("Reconciled")["status"] == "True"
    assert it.condition("Reconciled")["lastTransitionTime"] == "2026-05-04T12:06:00Z"


def test_a_job_that_has_ended_keeps_its_conditions_until_it_is_edited(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.world.job["spec"]["stop"] = True
    it.reconcile()
    assert it.status["phase"] == "Stopped"
    before = copy.deepcopy(it.status)
    it.report("HTTP 500: the write that has ended it took effect")
    it.reconcile()
    assert it.status == before
    it.world.job["metadata"]["generation"] += 1
    it.report("spec.limits: makes no sense")
    assert it.condition("Reconciled")["message"] == "spec.limits: makes no sense"
    it.reconcile()
    assert it.condition("Reconciled")["status"] == "True"
    assert it.condition("Stopped")["status"] == "True"
    assert it.status["observedGeneration"] == it.world.job["metadata"]["generation"]


def test_a_failure_that_cannot_be_written_is_let_go(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(runner)

    async def down(*_: object) -> Body:
        raise ApiError(ErrorKind.UNAVAILABLE, "HTTP 503")

    monkeypatch.setattr(it.connection, "get_job", down)
    it.report("boom")


def test_prometheus_condition_reaches_the_job(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile(3)
    it.world.befall("start all", 0)
    it.reconcile()
    it.world.prometheus_is_up = False
    it.operator.poll()
    it.reconcile()
    assert it.condition("MetricsAvailable")["message"] == "no answer"


def test_pods_are_created_side_by_side_and_few_are_refused(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Bench(runner, maxTrials=60, maxParallelTrials=60)
    room, under_way, waves, works = 31, 0, [0], it.connection.create_attempt

    async def create(namespace: str, body: Body, *, dry_run: bool = False) -> Body:
        nonlocal under_way
        if dry_run:
            return await works(namespace, body, dry_run=True)
        under_way += 1
        waves[-1] = max(waves[-1], under_way)
        await asyncio.sleep(0)
        under_way -= 1
        waves.extend([0] if under_way == 0 else [])
        if len(it.world.pods) >= room:
            raise ApiError(ErrorKind.QUOTA, "exceeded quota")
        return await works(namespace, body)

    monkeypatch.setattr(it.connection, "create_attempt", create)
    it.reconcile(3)
    assert len(it.world.pods) == room
    assert waves[:5] == [1, 2, 4, 8, 16]
    assert waves[5:] == [16, 0], "these are refused, and no more are tried"
    assert it.condition("QuotaExceeded")["status"] == "True"


def test_of_a_job_whose_pods_are_accepted_the_next_ones_are_created_together(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Bench(runner, maxTrials=60, maxParallelTrials=20)
    it.reconcile()
    under_way, waves, works = 0, [0], it.connection.create_attempt

    async def create(namespace: str, body: Body, *, dry_run: bool = False) -> Body:
        nonlocal under_way
        under_way += 1
        waves[-1] = max(waves[-1], under_way)
        await asyncio.sleep(0)
        under_way -= 1
        waves.extend([0] if under_way == 0 else [])
        return await works(namespace, body, dry_run=dry_run)

    monkeypatch.setattr(it.connection, "create_attempt", create)
    it.world.befall("start all", 0)
    it.world.befall("report all", 0)
    it.world.befall("succeed unscraped all", 0)
    it.reconcile(2)
    assert waves == [16, 4, 0]


def test_where_a_trial_cannot_be_committed_no_number_is_left_out(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Bench(runner, maxTrials=20, maxParallelTrials=5)
    works = it.connection.create_trial

    async def create(namespace: str, body: Body) -> Body:
        if body["spec"]["number"] == 2:
            raise ApiError(ErrorKind.UNAVAILABLE, "no answer")
        return await works(namespace, body)

    with monkeypatch.context() as patch:
        patch.setattr(it.connection, "create_trial", create)
        it.reconcile()
        assert list(it.world.trials) == ["job-0001"]
    it.reconcile(2)
    assert sorted(it.world.pods) == [f"job-000{number}-1" for number in range(1, 6)]


def test_counts_of_many_trials_are_written_together_and_all_else_at_once(runner: asyncio.Runner) -> None:
    it = Bench(runner, maxTrials=9)
    it.reconcile()
    assert it.status["trialCounts"]["pending"] == 2
    it.world.befall("start all", 0)
    it.operator.hear()
    outcome = runner.run(it.operator.reconciler.reconcile(KEY))
    assert it.status["trialCounts"]["running"] == 0
    assert outcome.wake_after == LONGEST_PAUSE - timedelta(seconds=1)
    it.world.edit(suspend=True)
    it.reconcile()
    assert (it.status["phase"], it.status["trialCounts"]["running"]) == ("Suspended", 2), "a phase does not wait"
    it.world.befall("report all", 0)
    it.world.befall("succeed unscraped", 0)
    it.reconcile()
    assert it.status["trialCounts"]["completed"] == 1, "after a while counts do not wait either"


def test_a_free_slot_does_not_wait_for_curves(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are written last, and a few at a time: a slot that becomes free meanwhile does not wait for all of them."""
    it = Bench(runner, maxTrials=60, maxParallelTrials=30)
    it.reconcile(2)
    it.world.befall("start all", 0)
    it.world.befall("report all", 0)
    it.reconcile()
    it.world.scrape()
    it.operator.poll()
    it.world.befall("succeed unscraped", 0)
    written: list[str] = []

    def note(call: str) -> None:
        works = getattr(it.connection, call)

        async def noted(namespace: str, what: Any, *rest: Any, **how: Any) -> Any:
            written.append(call if isinstance(what, str) else what["metadata"]["name"])
            return await works(namespace, what, *rest, **how)

        monkeypatch.setattr(it.connection, call, noted)

    for call in ("patch_trial_status", "create_attempt"):
        note(call)
    it.operator.is_urgent = True
    it.reconcile()
    after = written[written.index("job-0031-1") + 1 :]
    assert after == ["patch_trial_status"] * AT_ONCE_IF_URGENT
    it.operator.is_urgent = False
    it.reconcile(2)
    assert len(written) > WRITES, "the curves that one second allows, and the Pod"
