"""Which objects a pass takes for the job's own: adopted, unlabelled, renamed, deleted ones."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING

import pytest

from tests.unit.runtime.passes import Bench
from tests.unit.simulation.objects import KEY
from tests.unit.simulation.operator import SimulatedOperator
from tuning_operator.core.lifecycle.slots import LOOK_AGAIN
from tuning_operator.runtime.kubernetes.cluster import Listed
from tuning_operator.runtime.kubernetes.errors import ApiError
from tuning_operator.runtime.reconciler import act, identity

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


def lag(it: Bench, monkeypatch: pytest.MonkeyPatch, stale: set[str]) -> None:
    """Let the lists of some kinds say nothing, and no watch either."""
    works = it.connection.list_of_job
    it.operator.is_live = False

    async def list_of_job(plural: str, *about: str) -> Listed:
        return Listed([], "0") if plural in stale else await works(plural, *about)

    monkeypatch.setattr(it.connection, "list_of_job", list_of_job)


def test_a_trial_and_a_pod_that_a_lost_reply_left_behind_are_adopted(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Bench(runner)
    it.reconcile()
    uids = {name: pod.body["metadata"]["uid"] for name, pod in it.world.pods.items()}
    it.restart()

    stale = {"pods"}
    lag(it, monkeypatch, stale)
    it.reconcile(2)
    stale.add("tuningtrials")
    it.reconcile(2)
    assert {name: pod.body["metadata"]["uid"] for name, pod in it.world.pods.items()} == uids
    assert set(it.world.trials) == {"job-0001", "job-0002"}
    stale.clear()
    it.reconcile()
    assert it.world.trials["job-0001"]["status"]["podUID"] == uids["job-0001-1"]


def test_pods_are_built_and_compared_beside_the_loop(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of 30,000 variables takes a tenth of a second, in which the operator works for other jobs."""
    threads: dict[str, set[int]] = {}

    def note(module: object, name: str) -> None:
        works: Callable[..., object] = getattr(module, name)

        def noted(*given: object) -> object:
            threads.setdefault(name, set()).add(threading.get_ident())
            return works(*given)

        monkeypatch.setattr(module, name, noted)

    monkeypatch.setattr(identity, "is_like", lambda *_: False)  # as where an admission plugin adds something
    for module, name in ((act, "build_attempt"), (identity, "build_attempt"), (identity, "is_like")):
        note(module, name)
    note(identity, "is_same")
    it = Bench(runner)
    it.reconcile()
    it.restart()
    it.reconcile(2)
    assert set(threads) == {"build_attempt", "is_like", "is_same"}
    assert threading.get_ident() not in set.union(*threads.values())


def test_a_pods_uid_is_recorded_with_the_first_that_is_seen_of_it(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile()
    assert not any("status" in trial for trial in it.world.trials.values()), "a write that says nothing else"
    it.reconcile()
    for name in ("job-0001", "job-0002"):
        status, pod = it.world.trials[name]["status"], it.world.pods[f"{name}-1"].body
        assert (status["reason"], status["podUID"]) == ("ContainerCreating", pod["metadata"]["uid"])


def test_a_pod_that_vanishes_before_its_uid_is_recorded_was_lost(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile()
    it.operator.hear()
    it.world.befall("vanish", 0)
    it.reconcile()
    status = it.world.trials["job-0001"]["status"]
    assert (status["attempt"], status["disruptions"], status["reason"]) == (2, 1, "PodLost")
    assert set(it.world.pods) == {"job-0001-2", "job-0002-1"}


def test_a_pod_whose_uid_is_not_recorded_is_found_again_after_a_restart(runner: asyncio.Runner) -> None:
    it = Bench(runner)
    it.reconcile()
    uids = {name: pod.body["metadata"]["uid"] for name, pod in it.world.pods.items()}
    it.restart()
    it.reconcile(2)
    assert {name: pod.body["metadata"]["uid"] for name, pod in it.world.pods.items()} == uids
    for name in ("job-0001", "job-0002"):
        assert it.world.trials[name]["status"]["podUID"] == uids[f"{name}-1"]


def test_a_pod_that_vanished_while_no_operator_ran_is_created_again_under_its_name(runner: asyncio.Runner) -> None:
    """It had not been seen to run, so nothing of it is lost, and there is nothing to count."""
    it = Bench(runner)
    it.reconcile()
    it.world.befall("vanish", 0)
    it.restart()
    it.reconcile(2)
    assert set(it.world.pods) == {"job-0001-1", "job-0002-1"}
    assert it.world.trials["job-0001"].get("status", {}).get("disruptions", 0) == 0


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
    condition = it.condition("Reconciled")
    assert (condition["status"], condition["reason"]) == ("False", "LabelLost")
    assert "TuningTrial job-0001, Pod job-0002-1" in condition["message"]
    assert "kubectl label" in condition["message"]
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


@pytest.mark.parametrize(("name", "number"), [("job-2000000000", 2_000_000_000), ("job-0005", 999), ("mine", 3)])
def test_a_trial_whose_number_is_not_its_own_costs_nothing_and_is_named(
    runner: asyncio.Runner, name: str, number: int
) -> None:
    it = Bench(runner, maxTrials=6, maxParallelTrials=1)
    it.reconcile(4)
    forged = copy.deepcopy(it.world.trials["job-0001"])
    forged["metadata"] |= {"name": name, "uid": "forged"}
    forged["spec"]["number"] = number
    it.world.trials[name] = forged
    it.world.job["status"]["trialCounts"] = {"running": 2**31 - 1}
    it.operator = SimulatedOperator(it.world, runner)
    it.reconcile(4)
    assert list(it.world.pods) == ["job-0001-1"]
    assert it.status["trialCounts"]["running"] + it.status["trialCounts"]["pending"] == 1
    assert f"it ignored {name}: they have this job's label or owner" in it.condition("Reconciled")["message"]


def test_a_deleted_trial_is_asked_for_once(runner: asyncio.Runner) -> None:
    it = Bench(runner, maxTrials=6)
    it.reconcile(4)
    del it.world.trials["job-0001"]
    del it.world.pods["job-0001-1"]
    asked = it.asked_trials()
    it.reconcile(5)
    assert asked == ["job-0001"]


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
    condition = it.condition("Reconciled")
    assert (condition["status"], condition["reason"]) == ("False", "SlotsHeld")
    assert "not this job's: job-0001-1, job-0002-1; " in condition["message"]
    it.world.trials.clear()
    it.world.pods.clear()
    it.reconcile(3)
    assert it.condition("Reconciled")["status"] == "True"
    assert set(it.world.pods) == {"job-0001-1", "job-0002-1"}


def test_a_pod_is_lost_only_if_it_cannot_be_read_either(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = Bench(runner)
    it.reconcile(3)
    it.world.befall("start all", 0)
    it.reconcile()

    lag(it, monkeypatch, {"pods"})
    it.reconcile(3)
    assert {(trial["status"]["phase"], trial["status"]["attempt"]) for trial in it.world.trials.values()} == {
        ("Running", 1)
    }
    it.world.befall("vanish", 0)
    it.reconcile()
    assert it.world.trials["job-0001"]["status"]["reason"] == "PodLost"
    assert it.world.trials["job-0002"]["status"]["attempt"] == 1


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
