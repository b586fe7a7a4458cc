"""`limits.maxTrialDuration`: at its deadline a trial is stopped and keeps what it has reached."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.builders import NOW, ago, curve, ended_pod, job, pod, running_pod, snapshot, trial
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.advance import advance
from tuning_operator.core.lifecycle.facts import TrialFacts
from tuning_operator.core.model.attempt import Exit, History, Reading
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase, TrialStatus

if TYPE_CHECKING:
    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.snapshot import Snapshot

GRACE = timedelta(minutes=15)
LIMIT = timedelta(seconds=60)
REASON = "MaxTrialDurationReached"
STOP = StopDecision(REASON, "the trial has trained for 0:01:00 (limits.maxTrialDuration)")
KILLED = Exit(137, "ExitCode137", "killed")
AFTER = Reading(curve(0.1, 0.2, 0.3), after_end=True)


def limited(limit: timedelta | None = LIMIT, **more: Any) -> Job:
    made = job(parallel=1, trials=1, **more)
    return replace(made, spec=replace(made.spec, limits=replace(made.spec.limits, max_trial_duration=limit)))


def training(seconds: float, before: int = 0, **status: Any) -> Trial:
    since: dict[str, Any] = {"attempt_uid": "pod-uid-1-1", "start_time": ago(seconds), "training_seconds": before}
    return trial(1, TrialPhase.RUNNING, **(since | {"curve": curve(0.1, 0.2)} | status))


def stopping(**status: Any) -> Trial:
    cut: dict[str, Any] = {"stop": STOP, "reason": REASON, "message": STOP.message}
    return replace(training(70), status=replace(training(70).status, phase=TrialPhase.STOPPING, **(cut | status)))


def step(before: Trial, found: Attempt | None, reading: Reading | None = None) -> TrialStatus:
    return advance(before, TrialFacts(found, reading, NOW, GRACE, max_duration=LIMIT))


@pytest.mark.parametrize(
    ("seconds", "before", "phase"),
    [
        (59, 0, TrialPhase.RUNNING),
        (60, 0, TrialPhase.STOPPING),
        (20, 39, TrialPhase.RUNNING),
        (20, 40, TrialPhase.STOPPING),  # its earlier attempts count
    ],
)
def test_the_training_of_all_attempts_counts(seconds: float, before: int, phase: TrialPhase) -> None:
    after = step(training(seconds, before), running_pod(started=ago(seconds)))
    assert after.phase is phase
    assert after.stop == (STOP if phase is TrialPhase.STOPPING else None)


def test_waiting_does_not_count_nor_does_an_end_that_has_come_or_is_asked_for() -> None:
    assert step(trial(), pod(created=ago(10_000))).phase is TrialPhase.PENDING
    over = step(training(90), ended_pod(history=History(curve(0.1, 0.2), complete=True)))
    assert (over.phase, over.reason) == (TrialPhase.COMPLETED, None)
    assert step(training(90), running_pod(deletion_requested=ago(1))).phase is TrialPhase.RUNNING


def test_the_decision_is_recorded_in_the_pass_that_deletes_the_pod() -> None:
    decision = decide(snapshot(limited(), [training(90)], [running_pod()]))
    assert [item.status.stop for item in decision.changed] == [STOP]
    assert [attempt.name for attempt in decision.delete_attempts] == ["job-0001-1"]
    assert [(notice.reason, notice.message) for notice in decision.notices] == [("TrialStopped", STOP.message)]


def test_the_slot_is_held_until_the_pod_has_ended() -> None:
    assert step(stopping(), running_pod(deletion_requested=ago(1))).phase is TrialPhase.STOPPING


@pytest.mark.parametrize("found", [None, ended_pod(exit=KILLED, deletion_requested=ago(11))])
def test_what_is_reported_until_the_end_is_collected_and_the_trial_is_completed(found: Attempt | None) -> None:
    """Whether the Pod is there or gone, and after a restart of the operator in between."""
    collecting = step(stopping(), found)
    assert (collecting.phase, collecting.reason, collecting.stop) == (TrialPhase.COLLECTING, None, STOP)
    paid = collecting.training_seconds
    assert paid > 0
    done = step(replace(stopping(), status=collecting), found, AFTER)
    assert (done.phase, done.reason, done.stop) == (TrialPhase.COMPLETED, REASON, STOP)
    assert (done.message, done.training_seconds) == (STOP.message, paid)
    finished = replace(stopping(), status=done)
    assert finished.objective == 0.3
    assert finished.status.failures == finished.status.disruptions == 0


def test_one_that_has_reported_nothing_has_failed_and_is_not_tried_again() -> None:
    nothing = Reading(curve(), after_end=True)
    before = replace(stopping(), status=replace(stopping().status, curve=curve()))
    facts = TrialFacts(None, nothing, NOW, GRACE, max_attempts=3, max_duration=LIMIT)
    after = advance(before, facts)
    assert (after.phase, after.reason) == (TrialPhase.FAILED, REASON)
    assert "reported no value of the objective: raise the limit" in (after.message or "")


def test_a_training_that_had_ended_by_itself_is_simply_completed() -> None:
    history = History(curve(0.1, 0.2, 0.3), complete=True)
    found = ended_pod(finished=ago(20), deletion_requested=ago(10), history=history)
    after = step(stopping(), found)
    assert (after.phase, after.reason, after.stop) == (TrialPhase.COMPLETED, None, None)


def test_the_end_of_the_job_in_between_takes_nothing_away() -> None:
    def pass_over(seen: Snapshot) -> Trial:
        return decide(seen).trials[0]

    ending = replace(limited(), spec=replace(limited().spec, stop=True))
    still = pass_over(snapshot(ending, [stopping()], [running_pod(deletion_requested=ago(1))]))
    assert still.status.stop == STOP
    cut = pass_over(snapshot(ending, [still], [ended_pod(exit=KILLED, deletion_requested=ago(11))]))
    assert cut.phase is TrialPhase.COLLECTING
    done = pass_over(snapshot(ending, [cut], readings={"job-0001-1": AFTER}))
    assert done.phase is TrialPhase.COMPLETED


def test_the_job_is_looked_at_when_the_time_is_over() -> None:
    decision = decide(snapshot(limited(), [training(20)], [running_pod(started=ago(20))]))
    assert decision.wake_after == timedelta(seconds=40)
    assert decide(snapshot(limited(None), [training(20)], [running_pod(started=ago(20))])).wake_after is None
