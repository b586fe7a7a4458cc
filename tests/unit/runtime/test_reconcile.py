"""What a pass does beside deciding; whole histories are in `tests/unit/core/test_simulation.py`."""

from __future__ import annotations

import asyncio
import copy
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.simulation import (
    KEY,
    SimulatedOperator,
    merge_patch,
)
from tests.unit.runtime.passes import Bench, Body
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.sidecar import has_sidecar
from tuning_operator.core.model.conditions import Condition
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.reconciler.patches import difference
from tuning_operator.runtime.reconciler.refusals import FIRST_PAUSE, LONGEST_PAUSE, QUOTA_PAUSE

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


def with_log(it: Bench) -> None:
    """Let the job's training write a log, which a sidecar follows."""
    it.world.job["spec"]["metrics"] = {"source": {"type": "File", "file": {"path": "/logs/out"}}}
    it.operator.reconciler._identity.options = PodOptions("sidecar:1")


@pytest.mark.parametrize(
    ("refused", "status", "blamed"),
    [
        ("minimum cpu usage per Container is 100m, but request is 10m", "False", True),
        ("violates PodSecurity", "False", False),
    ],
)
def test_a_sidecar_that_is_refused_is_named_when_it_is_the_cause(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, refused: str, status: str, blamed: bool
) -> None:
    it = Bench(runner)
    with_log(it)

    async def create_attempt(_namespace: str, body: Body, **_: object) -> Body:
        if has_sidecar(body) or not blamed:
            raise ApiError(ErrorKind.INVALID, refused)
        return body

    monkeypatch.setattr(it.connection, "create_attempt", create_attempt)
    it.reconcile()
    condition = it.condition("TemplateValid")
    assert condition["status"] == status
    assert condition["message"].startswith(refused)
    assert ("--sidecar-resources" in condition["message"]) is blamed


@pytest.mark.parametrize(
    ("container", "path"),
    [({"args": ["$(HP_rl)"]}, "args[0]: $(HP_rl) is not defined"), ({"env": 7}, "env: should be a valid list")],
)
def test_a_template_that_cannot_work_ends_the_job_with_the_fields_name(
    runner: asyncio.Runner, container: Body, path: str
) -> None:
    it = Bench(runner)
    it.world.job["spec"]["template"]["spec"]["containers"][0] |= container
    it.reconcile(2)
    assert (it.status["phase"], it.status["completionReason"]) == ("Failed", "InvalidTemplate")
    assert f"spec.template.spec.containers[0].{path}" in it.status["message"]
    assert it.world.trials == {}


def test_a_template_that_was_accepted_is_not_judged_anew(runner: asyncio.Runner) -> None:
    """An upgrade of the operator must not end jobs that run."""
    it = Bench(runner)
    it.reconcile(3)
    it.world.job["spec"]["template"]["spec"]["containers"][0]["args"] = ["$(nproc)"]
    it.world.befall("vanish", 0)
    it.reconcile(3)
    assert it.status["phase"] == "Running"
    assert len(it.world.pods) == 2


def test_settings_that_do_not_fit_a_template_any_more_are_a_refusal_and_no_internal_error(
    runner: asyncio.Runner,
) -> None:
    it = Bench(runner)
    with_log(it)
    it.world.suggests_slowly = True
    it.reconcile()
    it.operator.reconciler._identity.options = PodOptions()
    it.reconcile(2)
    condition = it.condition("Reconciled")
    assert (condition["status"], condition["reason"]) == ("False", "PodRefused")
    assert "--sidecar-image" in condition["message"]


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
    assert it.operator._poller._interests
    writes = it.world.writes
    if answer == "going":
        it.world.job["metadata"]["deletionTimestamp"] = "2026-05-04T12:00:00Z"
    else:

        async def gone(*_: object) -> Body:
            raise ApiError(ErrorKind.NOT_FOUND, "not found")

        monkeypatch.setattr(it.connection, "get_job", gone)
    it.reconcile(2)
    assert it.world.writes == writes
    assert not it.operator._poller._interests


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


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ApiError(ErrorKind.INVALID, "spec.containers[0].image: Required value"), "False", "Required value"),
        (ApiError(ErrorKind.FORBIDDEN, 'serviceaccount "x" not found'), "Unknown", "not found"),
        (ApiError(ErrorKind.QUOTA, "exceeded quota"), "True", "accepts"),
    ],
)
def test_the_api_server_is_asked_about_the_template(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, error: ApiError, status: str, words: str
) -> None:
    it = Bench(runner)

    it.world.suggests_slowly = True

    async def create_attempt(*_: object, dry_run: bool = False) -> Body:
        assert dry_run
        raise error

    monkeypatch.setattr(it.connection, "create_attempt", create_attempt)
    it.reconcile()
    condition = it.condition("TemplateValid")
    assert condition["status"] == status
    assert words in condition["message"]
    assert it.status["phase"] == {"False": "Failed", "Unknown": "Pending", "True": "Running"}[status]
    assert it.status.get("completionReason") == ("InvalidTemplate" if status == "False" else None)


def test_nothing_is_concluded_when_the_api_server_says_nothing_of_the_template(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Bench(runner)

    async def create_attempt(*_: object, **__: object) -> Body:
        raise ApiError(ErrorKind.UNAVAILABLE, "HTTP 503")

    monkeypatch.setattr(it.connection, "create_attempt", create_attempt)
    with pytest.raises(ApiError, match="503"):  # which is tried again within seconds
        runner.run(it.operator.reconciler.reconcile(KEY))
    assert "status" not in it.world.job


def test_a_template_that_only_we_refuse_is_refused_in_the_same_way(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.world.job["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "HP_lr", "value": "1"}]
    it.reconcile()
    assert it.condition("TemplateValid")["status"] == "False"
    assert "HP_lr" in it.status["message"]
    assert it.status["phase"] == "Failed"


def test_a_quota_is_waited_for_with_a_condition(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(runner)
    it.world.suggests_slowly = True
    it.reconcile()

    async def full(*_: object, **__: object) -> Body:
        raise ApiError(ErrorKind.QUOTA, 'pods "job-0001-1" is forbidden: exceeded quota: gpus')

    with monkeypatch.context() as patch:
        patch.setattr(it.connection, "create_attempt", full)
        outcome = runner.run(it.operator.reconciler.reconcile(KEY))
        assert outcome.wake_after == FIRST_PAUSE
        it.reconcile(2)
        assert it.condition("QuotaExceeded")["status"] == "True"
        assert "exceeded quota: gpus" in it.condition("QuotaExceeded")["message"]
        assert set(it.world.trials) == {"job-0001", "job-0002"}
    it.operator = SimulatedOperator(it.world, runner)
    it.reconcile(2)
    assert set(it.world.pods) == {"job-0001-1", "job-0002-1"}
    assert it.condition("QuotaExceeded")["status"] == "False"


@pytest.mark.parametrize("kind", [ErrorKind.QUOTA, ErrorKind.INVALID, ErrorKind.FORBIDDEN])
def test_a_refused_pod_is_asked_for_ever_more_seldom(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, kind: ErrorKind
) -> None:
    """A policy that is new refuses the second Pod; the first one trains, and each of its epochs leads to a pass."""
    it = Bench(runner)
    it.world.suggests_slowly = True
    it.reconcile()
    asked: list[str] = []
    create = it.connection.create_attempt

    async def only_the_first(namespace: str, body: Body, **_: object) -> Body:
        asked.append(body["metadata"]["name"])
        if it.world.pods:
            raise ApiError(kind, "pods are forbidden: somebody says no")
        return await create(namespace, body)

    monkeypatch.setattr(it.connection, "create_attempt", only_the_first)
    it.reconcile()
    it.world.befall("start", 0)
    for _ in range(600):
        it.world.now += timedelta(seconds=0.5)
        it.reconcile()
    longest = QUOTA_PAUSE if kind is ErrorKind.QUOTA else LONGEST_PAUSE
    assert len(asked) <= 3 + math.log2(longest / FIRST_PAUSE) + 300 / longest.total_seconds()
    shown = it.condition("QuotaExceeded" if kind is ErrorKind.QUOTA else "Reconciled")
    assert shown["message"] == "pods are forbidden: somebody says no"
    assert it.status["trialCounts"]["running"] == 1
    before = len(asked)
    it.world.befall("succeed unscraped", 0)
    it.reconcile()
    assert asked[before:] == ["job-0002-1"], "a slot is free again: tried at once"


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
    it.operator._poller._conditions["ns"] = Condition("MetricsAvailable", "False", "PrometheusError", "no answer")
    it.reconcile()
    assert it.condition("MetricsAvailable")["message"] == "no answer"


@pytest.mark.parametrize(
    ("recorded", "wanted", "patch"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1, "old": 2}, {"a": 1}, {"old": None}),
        ({"counts": {"x": 1, "y": 2}}, {"counts": {"x": 1, "y": 3}}, {"counts": {"y": 3}}),
        (
            {"best": {"parameters": {"lr": "1"}}},
            {"best": {"parameters": {"n": "2"}}},
            {"best": {"parameters": {"lr": None, "n": "2"}}},
        ),
        ({"list": [1, 2]}, {"list": [2]}, {"list": [2]}),
        ({"best": "text"}, {"best": {"name": "x"}}, {"best": {"name": "x"}}),
    ],
)
def test_only_the_difference_is_written(recorded: Body, wanted: Body, patch: Body) -> None:
    assert difference(recorded, wanted) == patch


texts = st.text(max_size=3)
bodies = st.recursive(
    st.dictionaries(texts, st.integers() | texts | st.lists(st.integers(), max_size=3), max_size=4),
    lambda inner: st.dictionaries(texts, st.integers() | inner, max_size=4),
    max_leaves=10,
)


@given(bodies, bodies)
def test_the_patch_leads_from_one_status_to_the_other(recorded: Body, wanted: Body) -> None:
    assert merge_patch(recorded, difference(recorded, wanted)) == wanted
    assert difference(wanted, wanted) == {}


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
