"""An attempt on several nodes: what ended it, and what it holds until then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.builders import NOW, ago, curve, ended_pod, job, pod, running_pod, snapshot, trial
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.nodes import BatchJob, lacks_pods, together
from tuning_operator.core.model.attempt import Attempt, Exit, History, Reading, Waiting
from tuning_operator.core.model.trial import TrialPhase

JOB = BatchJob("job-0001-1", "batch-uid", 1, nodes=2, created=ago(120))
HISTORY = History(curve(0.1, 0.2), complete=True)
WAITS = Waiting("Unschedulable", "0/1 nodes are available")
NO_IMAGE = Waiting("ImagePullBackOff", "not found", is_image_problem=True)


CREATING = Waiting("ContainerCreating", "its image is being pulled", is_under_way=True)


def node(number: int, found: Attempt) -> Attempt:
    return replace(found, name=f"job-0001-1-{number}-x", uid=f"uid-{number}")


def attempt(first: Attempt | None, second: Attempt | None, **batch: Any) -> Attempt:
    found = {number: node(number, each) for number, each in enumerate((first, second)) if each is not None}
    return together(replace(JOB, **batch), found)


def test_it_runs_when_all_nodes_do() -> None:
    found = attempt(running_pod(), running_pod(started=ago(30)))
    assert (found.name, found.uid, found.reporter) == ("job-0001-1", "batch-uid", "job-0001-1-0-x")
    assert (found.started, found.exit, found.ended, found.waiting) == (ago(30), None, False, None)


@pytest.mark.parametrize(
    ("first", "second", "batch", "reason", "words"),
    [
        (running_pod(), pod(waiting=WAITS), {}, "Unschedulable", "node 1 (Pod job-0001-1-1-x): 0/1 nodes"),
        (pod(waiting=WAITS), pod(waiting=NO_IMAGE), {}, "ImagePullBackOff", "node 1 (Pod job-0001-1-1-x): not found"),
        (pod(waiting=CREATING), pod(waiting=WAITS), {}, "Unschedulable", "node 1 (Pod job-0001-1-1-x): 0/1 nodes"),
        (pod(waiting=CREATING), None, {}, "PodsMissing", "1 of 2 Pods exist"),
        (pod(waiting=CREATING), running_pod(), {}, "ContainerCreating", "node 0 (Pod job-0001-1-0-x): its image"),
        (running_pod(), None, {}, "PodsMissing", "1 of 2 Pods exist"),
        (None, None, {"suspended": True}, "Suspended", "no queueing controller has admitted it"),
    ],
)
def test_why_it_does_not_run_yet(
    first: Attempt | None, second: Attempt | None, batch: dict[str, Any], reason: str, words: str
) -> None:
    found = attempt(first, second, **batch)
    assert (found.started, found.exit, found.ended) == (None, None, False)
    assert found.waiting is not None
    assert found.waiting.reason == reason
    assert words in found.waiting.message


def test_its_containers_are_being_made_once_all_nodes_are_found() -> None:
    assert attempt(pod(due=ago(50)), pod(created=ago(90), due=ago(20))).making_since == ago(20)
    assert attempt(None, None).making_since == ago(120)


def test_it_has_succeeded_when_all_nodes_have_and_the_first_reports() -> None:
    found = attempt(ended_pod(history=HISTORY), ended_pod(finished=ago(5)))
    assert (found.exit, found.finished, found.ended, found.history) == (Exit(0), ago(5), True, HISTORY)
    assert attempt(ended_pod(), running_pod()).exit is None
    assert attempt(ended_pod(), None, succeeded=True).exit == Exit(0), "its other Pod was cleared away"


DELETED: dict[str, Any] = {"deletion_requested": ago(20)}
KILLED = ended_pod(code=143, finished=ago(15), **DELETED)


@pytest.mark.parametrize(
    ("first", "second", "batch", "failed", "words"),
    [
        # The node that failed first did; what the Job controller, or the loss of its peer, did to the other followed.
        (running_pod(), ended_pod(code=3), {}, True, "node 1 (Pod job-0001-1-1-x): it broke"),
        (KILLED, ended_pod(code=3, finished=ago(21)), {"failed": True}, True, "node 1"),
        (ended_pod(code=1, finished=ago(9)), ended_pod(code=3), {}, True, "node 1"),
        (None, ended_pod(code=3), {"failed": True}, True, "node 1"),
        # A disruption is nobody's fault, whatever its effect on the other nodes was.
        (ended_pod(code=1), running_pod(disruption="EvictionByEvictionAPI"), {}, False, "EvictionByEvictionAPI"),
        (ended_pod(code=1), None, {"failed": True, "disruption": "Pod x has condition"}, False, "Pod x has condition"),
        (running_pod(), running_pod(**DELETED), {}, False, "somebody deleted one of its Pods"),
        (running_pod(), running_pod(), DELETED, False, "somebody deleted one of its Pods, or its batch Job"),
        (running_pod(), None, {"failed": True}, False, "somebody deleted"),
        (running_pod(), None, {"nodes": 0} | DELETED, False, "somebody deleted"),
    ],
)
def test_it_is_over_with_the_first_node_that_is(
    first: Attempt | None, second: Attempt | None, batch: dict[str, Any], failed: bool, words: str
) -> None:
    found = attempt(first, second, **batch)
    before = trial(1, TrialPhase.RUNNING, attempt_uid="batch-uid", start_time=ago(90), reporter="job-0001-1-0-x")
    reading = Reading(curve(0.1), after_end=True)
    after = decide(snapshot(job(attempts=2, nodes=2), [before], [found], {"job-0001-1-0-x": reading})).trials[0].status
    assert (after.phase, after.attempt, after.reporter) == (TrialPhase.PENDING, 2, None)
    assert (after.failures, after.disruptions) == ((1, 0) if failed else (0, 1))
    assert words in (after.message or "")
    assert after.curve == curve(0.1), "what the first node reported is known"


def test_a_pod_that_vanished_unseen_disrupts_what_ran() -> None:
    vanished = attempt(running_pod(), None)
    ran = trial(1, TrialPhase.RUNNING, attempt_uid="batch-uid", start_time=ago(90))
    starts = trial(1, attempt_uid="batch-uid")
    assert decide(snapshot(job(nodes=2), [ran], [vanished])).trials[0].status.disruptions == 1
    assert decide(snapshot(job(nodes=2), [starts], [vanished])).trials[0].phase is TrialPhase.PENDING


@pytest.mark.parametrize(
    ("first", "second", "batch", "held"),
    [
        (None, None, {}, True),
        (None, None, {"suspended": True}, True),
        (ended_pod(), running_pod(), {}, True),
        (ended_pod(code=3), None, {}, True),  # another Pod may follow
        (ended_pod(code=3), running_pod(), {"failed": True}, True),
        (ended_pod(code=3), None, {"failed": True}, False),
        (ended_pod(), ended_pod(), {}, False),
        (None, running_pod(), DELETED, True),
        (None, None, DELETED, False),
    ],
)
def test_its_slot_is_held_until_no_pod_runs_and_none_will(
    first: Attempt | None, second: Attempt | None, batch: dict[str, Any], held: bool
) -> None:
    assert attempt(first, second, **batch).ended is not held


def test_a_stopped_trial_is_deleted_as_a_whole_and_holds_one_slot_until_all_of_it_is_gone() -> None:
    stopping = trial(1, TrialPhase.STOPPING, attempt_uid="batch-uid", start_time=ago(90))
    found = decide(snapshot(job(nodes=2), [stopping, trial(2), trial(3)], [attempt(running_pod(), running_pod())]))
    assert [item.name for item in found.delete_attempts] == ["job-0001-1"]
    assert [item.name for item in found.create_attempts] == ["job-0002"]
    going = attempt(None, running_pod(**DELETED), deletion_requested=ago(20))
    found = decide(snapshot(job(nodes=2, parallel=1), [stopping, trial(2)], [going]))
    assert (found.delete_attempts, found.create_attempts, found.trials[0].phase) == ((), (), TrialPhase.STOPPING)


def test_when_to_ask_why_pods_are_missing() -> None:
    late, early = attempt(None, None), attempt(None, None, created=ago(1))
    assert [lacks_pods(item, NOW) for item in (late, early)] == [True, False]
    assert not lacks_pods(attempt(None, None, suspended=True), NOW), "a queue has not admitted it"
    found = decide(snapshot(job(nodes=2), [trial(1, attempt_uid="batch-uid")], [early]))
    assert found.wake_after is not None
    assert found.wake_after.total_seconds() == 2
