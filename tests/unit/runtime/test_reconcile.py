"""What a pass does beside deciding; whole histories are in `tests/unit/core/test_simulation.py`."""

from __future__ import annotations

import asyncio
import copy
import math
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.core.simulation import (
    KEY,
    Connection,
    SimulatedOperator,
    SimulatedPod,
    World,
    merge_patch,
    new_job,
)
from tuning_operator.api import names
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.sidecar import has_sidecar
from tuning_operator.core.lifecycle.slots import LOOK_AGAIN
from tuning_operator.core.model.conditions import Condition
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.reconciler.identity import LOOKUPS
from tuning_operator.runtime.reconciler.patches import difference
from tuning_operator.runtime.reconciler.refusals import FIRST_PAUSE, LONGEST_PAUSE, QUOTA_PAUSE

if TYPE_CHECKING:
    from collections.abc import Iterator

Body = dict[str, Any]


class Bench:
    """A job in a simulated cluster, and an operator."""

    def __init__(self, runner: asyncio.Runner, **limits: int) -> None:
        self.world = World(new_job(7, {"maxTrials": 3, "maxParallelTrials": 2} | limits, None, "Off"), 7)
        self.runner = runner
        self.operator = SimulatedOperator(self.world, runner)

    @property
    def connection(self) -> Connection:
        return self.operator.connection

    @property
    def status(self) -> Body:
        status: Body = self.world.job["status"]
        return status

    def condition(self, kind: str) -> Body:
        found: Body = next(item for item in self.status["conditions"] if item["type"] == kind)
        return found

    def reconcile(self, passes: int = 1) -> None:
        for _ in range(passes):
            assert self.operator.reconcile()

    def report(self, message: str) -> None:
        self.runner.run(self.operator.reconciler.report_failure(KEY, message))


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def test_the_intents_come_first_then_their_pods(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile()
    assert (list(it.world.trials), list(it.world.pods)) == ([], [])  # the suggestions are being computed
    it.reconcile()
    assert (list(it.world.trials), list(it.world.pods)) == (["job-0001", "job-0002"], [])
    it.reconcile()
    assert list(it.world.pods) == ["job-0001-1", "job-0002-1"]


def test_a_pass_over_an_unchanged_cluster_writes_nothing(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile(6)
    writes = it.world.writes
    it.reconcile(5)
    it.operator = SimulatedOperator(it.world, runner)
    it.reconcile(5)
    assert it.world.writes == writes


def unrecorded(it: Bench, name: str = "job-0001") -> None:
    """As if the operator had died between the creation of a Pod and the record of its uid."""
    del it.world.trials[name]["status"]["podUID"]
    it.operator = SimulatedOperator(it.world, it.runner)


def test_a_trial_and_a_pod_that_a_lost_reply_left_behind_are_adopted(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Bench(runner)
    it.reconcile(3)
    uids = {name: pod.body["metadata"]["uid"] for name, pod in it.world.pods.items()}
    unrecorded(it)

    async def stale(*_: object) -> list[Body]:
        return []

    monkeypatch.setattr(it.connection, "list_pods", stale)
    it.reconcile(2)
    assert it.world.trials["job-0001"]["status"]["podUID"] == uids["job-0001-1"]
    monkeypatch.setattr(it.connection, "list_trials", stale)
    it.reconcile(2)
    assert {name: pod.body["metadata"]["uid"] for name, pod in it.world.pods.items()} == uids
    assert set(it.world.trials) == {"job-0001", "job-0002"}


def test_a_pods_uid_is_recorded_in_the_pass_that_creates_it(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile(3)
    for name in ("job-0001", "job-0002"):
        assert it.world.trials[name]["status"]["podUID"] == it.world.pods[f"{name}-1"].body["metadata"]["uid"]


# Labels


@pytest.mark.parametrize("restarted", [False, True])
def test_a_label_taken_off_trials_and_pods_frees_no_slot(runner: asyncio.Runner, restarted: bool) -> None:
    it = Bench(runner, maxTrials=6)
    it.reconcile(4)
    it.world.befall("start all", 0)
    it.reconcile()
    it.world.unlabel(it.world.trials["job-0001"])
    it.world.befall("unlabel", 1)
    if restarted:
        it.operator = SimulatedOperator(it.world, runner)
    it.reconcile(4)
    assert list(it.world.pods) == ["job-0001-1", "job-0002-1"]
    assert it.status["trialCounts"]["running"] == 2
    told = it.condition("Reconciled")
    assert (told["status"], told["reason"]) == ("False", "LabelLost")
    assert "TuningTrial job-0001, Pod job-0002-1" in told["message"]
    assert "kubectl label" in told["message"]
    assert runner.run(it.operator.reconciler.reconcile(KEY)).wake_after == LOOK_AGAIN, "no event tells of them"


def test_a_label_taken_off_the_newest_trial_before_it_was_counted_has_no_trial_proposed_for_ever(
    runner: asyncio.Runner,
) -> None:
    it = Bench(runner, maxTrials=6, maxParallelTrials=3)
    it.reconcile(4)
    it.world.unlabel(it.world.trials["job-0003"])
    it.world.job["status"]["trialCounts"] = {"running": 2}
    it.operator = SimulatedOperator(it.world, runner)
    it.reconcile(5)
    assert sorted(it.world.pods) == ["job-0001-1", "job-0002-1", "job-0003-1"]
    assert sum(it.status["trialCounts"].values()) == 3


def test_a_deleted_trial_is_asked_for_once(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(runner, maxTrials=6)
    it.reconcile(4)
    del it.world.trials["job-0001"]
    del it.world.pods["job-0001-1"]
    asked: list[str] = []
    get = it.connection.get_trial

    async def get_trial(namespace: str, name: str) -> Body:
        asked.append(name)
        return await get(namespace, name)

    monkeypatch.setattr(it.connection, "get_trial", get_trial)
    it.reconcile(5)
    assert asked == ["job-0001"]


# Pods that others made


def plant(it: Bench, name: str, owner: str = "", uid: str = "", *, like: str = "", **more: Any) -> None:
    """Have somebody make a Pod with the job's label: like one of its own, or with something else to run."""
    references = [names.owner_reference(names.TRIAL_KIND, owner, uid)] if owner else []
    metadata: Body = {"name": name, "uid": f"planted-{name}", "resourceVersion": "1", "ownerReferences": references}
    spec = {"containers": [{"name": "train", "image": "trainer", "command": ["forge"]}]}
    body: Body = copy.deepcopy(it.world.pods[like].body) if like else {"metadata": {}, "spec": spec}
    body["metadata"] |= metadata | {"labels": names.job_labels("job")}
    body["spec"] |= more
    it.world.pods[name] = SimulatedPod(body, it.world.now, foreign=True)


@pytest.mark.parametrize(
    "labels",
    [
        {"batch.kubernetes.io/controller-uid": "x"},
        {"batch.kubernetes.io/job-completion-index": "0"},
        {"batch.kubernetes.io/controller-uid": "x", "batch.kubernetes.io/job-completion-index": "0"},
        {"tuning-operator.dev/trial": "job-0001"},
        {},
    ],
)
def test_a_pod_with_some_labels_costs_nothing_but_a_word(runner: asyncio.Runner, labels: dict[str, str]) -> None:
    it = Bench(runner, maxParallelTrials=1)
    it.reconcile(3)
    plant(it, "evil")
    it.world.pods["evil"].body["metadata"]["labels"] |= labels
    it.reconcile(2)
    told = it.condition("Reconciled")
    assert told["status"] == "True"
    assert "it did not look at evil" in told["message"]


def test_pods_that_name_other_trials_as_their_owners_hold_no_slot(runner: asyncio.Runner) -> None:
    it = Bench(runner, maxParallelTrials=1)
    plant(it, "evil-0001-99", "evil-0001", "uid-of-evil")
    plant(it, "job-0001-x", "job-0001", "uid-of-nothing")
    plant(it, "job-0001-1-0", "job-0001-1", "uid-of-nothing")
    it.reconcile(3)
    own = it.world.trials["job-0001"]["metadata"]["uid"]
    plant(it, "job-0001-99", "job-0001", own)
    it.reconcile(2)
    assert "job-0001-1" in it.world.pods
    assert "evil-0001-99, job-0001-1-0, job-0001-99, job-0001-x" in it.condition("Reconciled")["message"]
    assert it.world.trials["job-0001"]["status"]["attempt"] == 1


def test_a_pod_whose_trial_is_gone_holds_its_slot_until_it_is_collected_and_is_named(runner: asyncio.Runner) -> None:
    it = Bench(runner, maxParallelTrials=1)
    plant(it, "job-0007-1", "job-0007", "uid-of-an-earlier-trial")
    it.reconcile(3)
    assert list(it.world.pods) == ["job-0007-1"]
    assert "job-0007-1" in it.condition("Reconciled")["message"]
    it.world.collect_garbage()
    it.reconcile(3)
    assert list(it.world.pods) == ["job-0001-1"]


def test_a_finalizer_on_a_pod_without_a_node_holds_no_slot(runner: asyncio.Runner) -> None:
    """Whoever plants a Pod decides when it is gone."""
    it = Bench(runner, maxParallelTrials=1)
    plant(it, "job-0007-1", "job-0007", "uid-of-nothing")
    it.reconcile(3)
    assert list(it.world.pods) == ["job-0007-1"]
    it.world.pods["job-0007-1"].deleted = it.world.now
    it.reconcile(3)
    assert list(it.world.pods) == ["job-0007-1", "job-0001-1"]


def test_pods_of_ever_so_many_unknown_trials_cost_a_few_requests(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Bench(runner, maxParallelTrials=1)
    for number in range(100, 200):
        plant(it, f"job-{number:04d}-1", f"job-{number:04d}", "uid-of-nothing")
    asked: list[str] = []
    get = it.connection.get_trial

    async def get_trial(namespace: str, name: str) -> Body:
        asked.append(name)
        return await get(namespace, name)

    monkeypatch.setattr(it.connection, "get_trial", get_trial)
    it.reconcile()
    assert len(asked) == LOOKUPS


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("owned", [False, True])
def test_a_name_that_somebody_took_costs_its_trial_a_name_and_the_others_nothing(
    runner: asyncio.Runner, owned: bool, recorded: bool
) -> None:
    it = Bench(runner)
    it.reconcile(2)
    uid = it.world.trials["job-0001"]["metadata"]["uid"]
    if recorded:  # the Pod of that name was the trial's own, and somebody exchanged it
        it.reconcile()
        del it.world.pods["job-0001-1"]
        it.world.disrupted.add("job-0001-1")
    plant(it, "job-0001-1", *(("job-0001", uid) if owned else ()))
    it.world.disrupted.add("job-0001-1")
    it.reconcile()
    status = it.world.trials["job-0001"]["status"]
    assert "job-0002-1" in it.world.pods
    assert status["attempt"] == 2
    if not recorded:
        assert status["reason"] == "NameTaken"
        assert "Pod job-0001-1 exists, and is not what this operator makes for it" in status["message"]
        assert "kubectl delete pod job-0001-1" in status["message"]
    it.reconcile(2)
    assert "job-0001-2" in it.world.pods
    assert ("job-0001-1" in it.world.pods) is not owned, "what nobody gave to the trial is left alone"


def test_a_name_that_is_taken_is_told_on_the_job_as_long_as_its_trial_waits(runner: asyncio.Runner) -> None:
    it = Bench(runner, maxParallelTrials=1)
    it.reconcile(2)
    for attempt in (1, 2, 3):
        plant(it, f"job-0001-{attempt}")
        it.world.disrupted.add(f"job-0001-{attempt}")
    it.reconcile(4)
    told = it.condition("Reconciled")
    assert (told["status"], told["reason"]) == ("False", "NameTaken")
    assert "job-0001: attempt 2 could not begin: Pod job-0001-2 exists" in told["message"]
    it.world.now += timedelta(seconds=60)
    it.reconcile()
    it.world.now += timedelta(seconds=60)
    it.reconcile(2)
    assert it.world.trials["job-0001"]["status"]["attempt"] == 4
    assert it.condition("Reconciled")["status"] == "True"


@pytest.mark.parametrize(
    "change",
    [
        {"containers": [{"name": "train", "image": "another"}]},
        {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["data"]}]},
        {"initContainers": [{"name": "more", "image": "trainer"}]},
        {"shareProcessNamespace": True},
        {"terminationGracePeriodSeconds": 3600},
    ],
)
def test_a_pod_that_runs_anything_else_than_its_trial_is_not_adopted(
    runner: asyncio.Runner, change: dict[str, Any]
) -> None:
    it = Bench(runner, maxParallelTrials=1)
    it.reconcile(3)
    it.world.pods["job-0001-1"].body["spec"] |= change
    it.world.disrupted.add("job-0001-1")
    unrecorded(it)
    it.reconcile(2)
    assert it.world.trials["job-0001"]["status"]["attempt"] == 2


def test_what_admission_plugins_add_to_a_pod_is_told_from_what_a_stranger_does(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Bench(runner, maxParallelTrials=1)
    create = it.connection.create_attempt
    asked: list[str] = []

    async def with_a_proxy(namespace: str, body: Body, *, dry_run: bool = False) -> Body:
        made = copy.deepcopy(body)
        made["spec"]["containers"].append({"name": "proxy", "image": "mesh"})
        asked.append(body["metadata"]["name"])
        return await create(namespace, made, dry_run=dry_run)

    monkeypatch.setattr(it.connection, "create_attempt", with_a_proxy)
    it.reconcile(3)
    unrecorded(it)
    monkeypatch.setattr(it.connection, "create_attempt", with_a_proxy)
    it.reconcile(3)
    assert it.world.trials["job-0001"]["status"]["attempt"] == 1
    assert it.world.trials["job-0001"]["status"]["podUID"] == it.world.pods["job-0001-1"].body["metadata"]["uid"]
    assert asked[-1] == "job-0001-999999999", "under a name that no Pod will have"


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
    it.reconcile(2)
    it.operator.reconciler._identity.options = PodOptions()
    it.reconcile(2)
    condition = it.condition("Reconciled")
    assert (condition["status"], condition["reason"]) == ("False", "PodRefused")
    assert "--sidecar-image" in condition["message"]


@pytest.mark.parametrize(
    ("call", "told"), [("delete_attempt", ["job-0001", "job-0002"]), ("patch_trial_status", ["job-0001"])]
)
def test_what_has_been_committed_is_told_of_though_the_pass_fails(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch, call: str, told: list[str]
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
        if body["reason"] == "TrialStopped" and body["regarding"]["kind"] == "TuningTrial":
            events.append(body["regarding"]["name"])

    monkeypatch.setattr(it.connection, call, changed_meanwhile)
    monkeypatch.setattr(it.connection, "create_event", create_event)
    with pytest.raises(ApiError, match="has changed"):
        runner.run(it.operator.reconciler.reconcile(KEY))
    assert events == told
    monkeypatch.setattr(it.connection, call, works)
    it.reconcile()
    assert events == ["job-0001", "job-0002"]


def test_what_belongs_to_an_earlier_job_of_the_name_is_waited_for(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile(3)
    it.world.job["spec"]["limits"]["maxParallelTrials"] = 4
    old = set(it.world.pods)
    it.world.job["metadata"]["uid"] = "uid-of-the-next-job"
    it.operator = SimulatedOperator(it.world, runner)
    it.reconcile()
    with pytest.raises(ApiError, match="TuningTrial job-0001 exists and belongs to another owner"):
        runner.run(it.operator.reconciler.reconcile(KEY))
    assert set(it.world.pods) == old
    it.world.trials.clear()
    it.world.pods.clear()
    it.reconcile(2)
    assert set(it.world.trials) == {"job-0001", "job-0002", "job-0003"}


def test_pods_of_an_earlier_job_that_hold_all_slots_are_told_of(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile(3)
    assert it.condition("Reconciled")["status"] == "True"
    it.world.job["metadata"]["uid"] = "uid-of-the-next-job"
    it.operator = SimulatedOperator(it.world, runner)
    it.reconcile(3)
    told = it.condition("Reconciled")
    assert (told["status"], told["reason"]) == ("False", "SlotsHeld")
    assert "not this job's, and that nobody deletes: job-0001-1, job-0002-1; " in told["message"]
    it.world.trials.clear()
    it.world.pods.clear()
    it.reconcile(3)
    assert it.condition("Reconciled")["status"] == "True"
    assert set(it.world.pods) == {"job-0001-1", "job-0002-1"}


def test_a_pod_that_pretends_to_be_a_trials_is_not_looked_at(runner: asyncio.Runner) -> None:
    """Whoever may create Pods in the namespace can name any owner and set any label."""
    it = Bench(runner, maxParallelTrials=1)
    it.reconcile(3)
    own = it.world.pods["job-0001-1"]
    for name in ("evil", "job-0001-x", "job-0001-0", "job-0001-1-2", "job-0002-1"):
        body = {**own.body, "metadata": {**own.body["metadata"], "name": name, "uid": name}}
        it.world.pods[name] = replace(own, body=body, failed=True)
    it.reconcile(3)
    assert it.world.trials["job-0001"]["status"]["phase"] == "Pending"
    assert it.world.trials["job-0001"]["status"]["attempt"] == 1


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
        return {"metadata": {"resourceVersion": "1"}}

    monkeypatch.setattr(it.connection, "patch_trial_status", patch)
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


def test_a_pod_is_lost_only_if_it_cannot_be_read_either(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Bench(runner)
    it.reconcile(3)
    it.world.befall("start all", 0)
    it.reconcile()

    async def stale(*_: object) -> list[Body]:
        return []

    monkeypatch.setattr(it.connection, "list_pods", stale)
    it.reconcile(3)
    assert {(trial["status"]["phase"], trial["status"]["attempt"]) for trial in it.world.trials.values()} == {
        ("Running", 1)
    }
    it.world.befall("vanish", 0)
    it.reconcile()
    assert it.world.trials["job-0001"]["status"]["reason"] == "PodLost"
    assert it.world.trials["job-0002"]["status"]["attempt"] == 1


def test_an_ended_job_is_deleted_when_its_time_is_over(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile(4)
    it.world.job["spec"] |= {"stop": True, "ttlSecondsAfterFinished": 60}
    it.reconcile(2)
    assert it.status["phase"] == "Stopped"
    it.world.now += timedelta(seconds=59)
    it.reconcile(2)
    assert runner.run(it.operator.reconciler.reconcile(KEY)).wake_after == timedelta(seconds=1)
    assert not it.world.deleted
    it.world.now += timedelta(seconds=1)
    it.reconcile(2)
    assert it.world.deleted


def test_the_pod_of_a_deleted_trial_holds_its_slot_until_it_has_ended(runner: asyncio.Runner) -> None:
    it = Bench(runner, maxParallelTrials=1)
    it.reconcile(3)
    it.world.befall("start all", 0)
    it.reconcile()
    del it.world.trials["job-0001"]  # the garbage collector comes later
    it.reconcile(4)
    assert (list(it.world.trials), list(it.world.pods)) == ([], ["job-0001-1"])
    it.world.befall("delete", 0)
    it.reconcile(4)
    assert list(it.world.trials) == []
    it.world.befall("reap", 0)
    it.world.befall("reap", 0)
    it.reconcile(4)
    assert (list(it.world.trials), list(it.world.pods)) == (["job-0001"], ["job-0001-1"])


# The template


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


# Quota


def test_a_quota_is_waited_for_with_a_condition(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    it = Bench(runner)
    it.reconcile(2)

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
    it.reconcile(2)
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


# Failures


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


# The merge patch

texts = st.text(max_size=3)
bodies = st.recursive(
    st.dictionaries(texts, st.integers() | texts | st.lists(st.integers(), max_size=3), max_size=4),
    lambda inner: st.dictionaries(texts, st.integers() | inner, max_size=4),
    max_leaves=10,
)


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


@given(bodies, bodies)
def test_the_patch_leads_from_one_status_to_the_other(recorded: Body, wanted: Body) -> None:
    assert merge_patch(recorded, difference(recorded, wanted)) == wanted
    assert difference(wanted, wanted) == {}
