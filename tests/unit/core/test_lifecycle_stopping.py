"""A trial that is stopped: when it has ended, and what is still learnt."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.builders import NOW, ago, curve, ended_pod, running_pod, trial
from tuning_operator.core.model.attempt import Reading
from tuning_operator.core.model.trial import StopDecision, TrialPhase

if TYPE_CHECKING:
    from tuning_operator.core.model.attempt import Attempt
from tests.unit.core.advancing import COMPLETE, EARLY, LAST, THINNED, seen, step

FOR_THE_JOB = StopDecision("TargetReached", "the job ends")


# Stopping


@pytest.mark.parametrize(("stop", "phase"), [(EARLY, TrialPhase.EARLY_STOPPED), (FOR_THE_JOB, TrialPhase.STOPPED)])
@pytest.mark.parametrize(
    ("found", "done", "at", "ran"),
    [
        (running_pod(), False, None, 0),
        (running_pod(deletion_requested=ago(5)), False, None, 0),
        (ended_pod(ended=False), False, None, 0),  # a sidecar still runs
        (ended_pod(code=143, deletion_requested=ago(20)), True, ago(10), 80),
        (ended_pod(code=1), True, ago(10), 80),
        (
            ended_pod(deletion_requested=ago(10), history=COMPLETE),
            True,
            ago(10),
            80,
        ),  # the signal was no failure for it
        (ended_pod(deletion_requested=ago(20), history=COMPLETE), True, ago(10), 80),
        (ended_pod(code=None, finished=None), True, NOW, 90),
        (None, True, NOW, 90),
    ],
)
def test_a_stop_is_done_once_the_pod_holds_nothing(
    stop: StopDecision, phase: TrialPhase, found: Attempt | None, done: bool, at: object, ran: int
) -> None:
    before = seen(TrialPhase.STOPPING, start_time=ago(90), stop=stop, reason=stop.reason, training_seconds=7)
    after = step(before, found)
    assert after.phase is (phase if done else TrialPhase.STOPPING)
    assert (after.completion_time, after.training_seconds) == (at, 7 + ran)
    assert (after.stop, after.reason) == (stop, stop.reason)
    assert (after.attempt, after.disruptions) == (1, 0)


@pytest.mark.parametrize("stop", [EARLY, FOR_THE_JOB])
@pytest.mark.parametrize(
    ("found", "longest"),
    [
        (ended_pod(history=COMPLETE), None),
        (ended_pod(history=COMPLETE, deletion_requested=ago(9)), None),
        (ended_pod(history=COMPLETE, deletion_requested=ago(20)), 2),  # it waited for its last scrape
    ],
)
def test_a_training_that_was_over_is_completed_whatever_was_decided(
    stop: StopDecision, found: Attempt, longest: int | None
) -> None:
    before = seen(TrialPhase.STOPPING, start_time=ago(90), stop=stop, reason=stop.reason, message=stop.message)
    after = step(before, found, longest=longest)
    assert (after.phase, after.stop, after.reason, after.curve) == (TrialPhase.COMPLETED, None, None, COMPLETE.curve)
    assert f"counts as completed; dropped decision: {stop.message}" in (after.message or "")
    assert (after.completion_time, after.training_seconds) == (ago(10), 80)


def test_a_training_that_takes_the_signal_and_ends_well_before_others_did_is_stopped() -> None:
    before = seen(TrialPhase.STOPPING, start_time=ago(90), stop=EARLY, reason=EARLY.reason)
    after = step(before, ended_pod(history=COMPLETE, deletion_requested=ago(20)), longest=3)
    assert (after.phase, after.stop) == (TrialPhase.EARLY_STOPPED, EARLY)


def test_the_epochs_of_a_training_that_was_over_are_waited_for() -> None:
    before = seen(TrialPhase.STOPPING, start_time=ago(90), stop=EARLY, reason=EARLY.reason)
    waiting = step(before, ended_pod(history=THINNED))
    assert (waiting.phase, waiting.stop, waiting.training_seconds) == (TrialPhase.COLLECTING, None, 80)
    after = step(replace(trial(), status=waiting), ended_pod(history=THINNED), Reading(curve(0.1), after_end=True))
    assert (after.phase, after.curve, after.training_seconds) == (TrialPhase.COMPLETED, curve(0.1, 0.2), 80)
    assert "dropped decision" in (after.message or "")


def test_a_stopped_trial_that_never_started_costs_nothing() -> None:
    after = step(seen(TrialPhase.STOPPING, stop=FOR_THE_JOB), None)
    assert (after.phase, after.training_seconds) == (TrialPhase.STOPPED, 0)


def test_the_last_epochs_of_a_stopping_trial_are_learnt() -> None:
    before = seen(TrialPhase.STOPPING, stop=EARLY, curve=curve(0.1))
    assert step(before, running_pod(), Reading(curve(0.1, 0.2))).curve == curve(0.1, 0.2)


def test_a_message_that_adds_only_metrics_to_a_curve_known_from_prometheus_is_recorded() -> None:
    before = seen(TrialPhase.RUNNING, curve=curve(0.1, 0.2))
    after = step(before, ended_pod(history=COMPLETE), Reading(curve(0.1, 0.2), after_end=True))
    assert (after.phase, after.curve, after.metrics) == (TrialPhase.COMPLETED, curve(0.1, 0.2), LAST)


def test_the_last_value_of_every_metric_is_recorded_at_the_end() -> None:
    after = step(seen(TrialPhase.RUNNING), ended_pod(history=COMPLETE))
    assert after.metrics == LAST
    assert step(replace(trial(), status=after), None).metrics == LAST, "also when its Pod is gone"
