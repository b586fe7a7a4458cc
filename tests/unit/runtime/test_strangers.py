"""What others put under a job's names and labels: it costs nothing, and is named."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.runtime.passes import Bench, Body
from tests.unit.simulation.world import SimulatedPod
from tuning_operator.api import names
from tuning_operator.runtime.reconciler.identity import LOOKUPS

if TYPE_CHECKING:
    import asyncio


def plant(it: Bench, name: str, owner: str = "", uid: str = "", *, like: str = "", **more: Any) -> None:
    """Have somebody make a Pod with the job's label: like one of its own, or with something else to run."""
    references = [names.owner_reference(names.TRIAL_KIND, owner, uid)] if owner else []
    metadata: Body = {"name": name, "namespace": "ns", "uid": f"planted-{name}", "ownerReferences": references}
    spec = {"containers": [{"name": "train", "image": "trainer", "command": ["forge"]}]}
    body: Body = copy.deepcopy(it.world.pods[like].body) if like else {"metadata": {}, "spec": spec}
    body["metadata"] |= metadata | {"labels": names.job_labels("job")}
    body["spec"] |= more
    it.world.renew(body)
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
    condition = it.condition("Reconciled")
    assert condition["status"] == "True"
    assert "it ignored evil" in condition["message"]


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
    it.world.renew(it.world.pods["job-0007-1"].body)
    it.reconcile(3)
    assert list(it.world.pods) == ["job-0007-1", "job-0001-1"]


def test_pods_of_ever_so_many_unknown_trials_cost_a_few_requests(runner: asyncio.Runner) -> None:
    it = Bench(runner, maxParallelTrials=1)
    for number in range(100, 200):
        plant(it, f"job-{number:04d}-1", f"job-{number:04d}", "uid-of-nothing")
    asked = it.asked_trials()
    it.reconcile()
    assert len(asked) == LOOKUPS


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("owned", [False, True])
def test_a_name_that_somebody_took_costs_its_trial_a_name_and_the_others_nothing(
    runner: asyncio.Runner, owned: bool, recorded: bool
) -> None:
    it = Bench(runner)
    it.commit()
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
        assert "Pod job-0001-1 exists, but this operator did not create it" in status["message"]
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
    condition = it.condition("Reconciled")
    assert (condition["status"], condition["reason"]) == ("False", "NameTaken")
    assert "job-0001: attempt 2 could not start: Pod job-0001-2 exists" in condition["message"]
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
    it.reconcile()
    it.world.pods["job-0001-1"].body["spec"] |= change
    it.world.disrupted.add("job-0001-1")
    it.restart()
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
    it.reconcile()
    it.restart()
    monkeypatch.setattr(it.connection, "create_attempt", with_a_proxy)
    it.reconcile(3)
    assert it.world.trials["job-0001"]["status"]["attempt"] == 1
    assert it.world.trials["job-0001"]["status"]["podUID"] == it.world.pods["job-0001-1"].body["metadata"]["uid"]
    assert asked[-1] == "job-0001-999999999", "under a name that no Pod will have"


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
