from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.builders import NOW, ended, job, trial, with_status
from tuning_operator.core.completion import best_trial, completion, is_resumed
from tuning_operator.core.curves import Goal
from tuning_operator.core.job import CompletionReason, Job, JobPhase
from tuning_operator.core.space import Categorical, Integer, Space
from tuning_operator.core.trials import Trial, TrialPhase

NAN, INF = math.nan, math.inf
TWO_POINTS = Space((Integer("layers", 1, 2),))
FAILED = TrialPhase.FAILED


def reason(a_job: Job, *trials: Trial) -> CompletionReason | None:
    end = completion(a_job, trials, NOW)
    return end.reason if end else None


@pytest.mark.parametrize(
    ("a_job", "trials", "expected"),
    [
        (job(trials=2), [], None),
        (job(trials=2), [ended(1, 0.1)], None),
        (job(trials=2), [ended(1, 0.1), trial(2)], None),
        (job(trials=2), [ended(1, 0.1), trial(2, TrialPhase.COLLECTING)], None),
        (job(trials=2), [ended(1, 0.1), ended(2, phase=FAILED)], CompletionReason.MAX_TRIALS),
        (job(trials=2), [ended(1, 0.1), ended(2, 0.1), ended(3, 0.1)], CompletionReason.MAX_TRIALS),
        (job(space=TWO_POINTS), [ended(1, 0.1), ended(2, 0.1)], CompletionReason.SPACE_EXHAUSTED),
        (job(space=TWO_POINTS), [ended(1, 0.1), trial(2)], None),
        (job(space=TWO_POINTS, trials=2), [ended(1, 0.1), ended(2, 0.1)], CompletionReason.SPACE_EXHAUSTED),
        (job(target=0.5), [ended(1, 0.4)], None),
        (job(target=0.5), [ended(1, 0.5)], CompletionReason.TARGET),
        (job(target=0.5), [ended(1, 0.9, 0.4)], None),  # the objective is the latest value
        (job(target=0.5), [trial(1, TrialPhase.RUNNING, curve=ended(1, 0.9).curve)], None),
        (job(target=0.5), [ended(1, 0.9, phase=FAILED)], None),
        (job(target=0.5), [ended(1, 0.9, phase=TrialPhase.EARLY_STOPPED)], CompletionReason.TARGET),
        (job(target=0.5), [ended(1, NAN), ended(2, INF)], None),
        (job(target=0.5, goal=Goal.MINIMIZE), [ended(1, 0.6)], None),
        (job(target=0.5, goal=Goal.MINIMIZE), [ended(1, 0.5)], CompletionReason.TARGET),
        (job(target=0.5, goal=Goal.MINIMIZE), [ended(1, -INF)], None),
        (job(max_failed=2), [ended(1, phase=FAILED)], None),
        (job(max_failed=2), [ended(1, phase=FAILED), ended(2, phase=FAILED)], CompletionReason.MAX_FAILED_TRIALS),
        (job(), [ended(n, phase=FAILED) for n in range(1, 6)], None),
        (job(duration=timedelta(seconds=1001)), [], None),
        (job(duration=timedelta(seconds=1000)), [], CompletionReason.MAX_DURATION),
        (job(duration=timedelta(seconds=1), start_time=None), [], None),
        (job(duration=timedelta(seconds=1000), idle=timedelta(seconds=1)), [], None),
        (job(stop=True), [trial(1, TrialPhase.RUNNING)], CompletionReason.STOPPED_BY_USER),
    ],
)
def test_the_reason_to_end(a_job: Job, trials: list[Trial], expected: CompletionReason | None) -> None:
    assert reason(a_job, *trials) is expected


def test_the_most_telling_reason_comes_first() -> None:
    everything = job(trials=2, target=0.5, max_failed=1, duration=timedelta(seconds=1))
    assert reason(replace(everything, spec=replace(everything.spec, stop=True))) is CompletionReason.STOPPED_BY_USER
    trials = [ended(1, 0.9), ended(2, phase=FAILED)]
    assert reason(everything, *trials) is CompletionReason.TARGET
    assert reason(job(trials=2, max_failed=1, duration=timedelta(seconds=1)), *trials) is (
        CompletionReason.MAX_FAILED_TRIALS
    )
    assert reason(job(trials=2, duration=timedelta(seconds=1)), *trials) is CompletionReason.MAX_DURATION


# An edit of a job that has ended

TWO_TRIALS = [ended(1, 0.1), ended(2, 0.9)]
TWO_FAILURES = [ended(1, phase=FAILED), ended(2, phase=FAILED)]
SECONDS_1000, SECONDS_1500 = timedelta(seconds=1000), timedelta(seconds=1500)


@pytest.mark.parametrize(
    ("because", "edited", "trials", "goes_on"),
    [
        (CompletionReason.MAX_TRIALS, {"trials": 3}, TWO_TRIALS, True),
        (CompletionReason.MAX_TRIALS, {"trials": 2}, TWO_TRIALS, False),
        (CompletionReason.MAX_TRIALS, {"trials": 2}, TWO_TRIALS[:1], True),  # somebody deleted a trial
        (CompletionReason.MAX_TRIALS, {"trials": 3, "target": 0.9}, TWO_TRIALS, False),  # there is another reason now
        (CompletionReason.TARGET, {"target": 0.95}, TWO_TRIALS, True),
        (CompletionReason.TARGET, {"target": None}, TWO_TRIALS, True),
        (CompletionReason.TARGET, {"target": 0.9}, TWO_TRIALS, False),
        (CompletionReason.MAX_FAILED_TRIALS, {"max_failed": 3}, TWO_FAILURES, True),
        (CompletionReason.MAX_FAILED_TRIALS, {"max_failed": 1}, TWO_FAILURES, False),
        (CompletionReason.MAX_DURATION, {"duration": SECONDS_1000}, TWO_TRIALS, False),
        (CompletionReason.MAX_DURATION, {"duration": SECONDS_1500}, TWO_TRIALS, True),
        (CompletionReason.SPACE_EXHAUSTED, {"space": TWO_POINTS, "trials": 99}, TWO_TRIALS, False),
        (CompletionReason.STOPPED_BY_USER, {"trials": 3}, TWO_TRIALS, False),
        (CompletionReason.INVALID_TEMPLATE, {"trials": 3}, [], False),
        (CompletionReason.MAX_TRIALS, {"trials": 3, "stop": True}, TWO_TRIALS, False),
    ],
)
def test_an_ended_job_goes_on_when_an_edit_takes_all_reasons_away(
    because: CompletionReason, edited: dict[str, Any], trials: list[Trial], goes_on: bool
) -> None:
    recorded: dict[str, Any] = {"phase": because.phase, "completion_reason": because, "completion_time": NOW}
    a_job = job(**(edited | recorded), observed_generation=1, generation=2)
    assert is_resumed(a_job, trials, NOW + timedelta(days=1)) is goes_on
    assert not is_resumed(replace(a_job, observed_generation=2), trials, NOW), "nothing was edited"


def test_a_job_that_runs_is_not_resumed() -> None:
    assert not is_resumed(job(generation=2), [], NOW)


@pytest.mark.parametrize(
    ("a_job", "trials", "words"),
    [
        (job(target=0.5), [ended(1, 0.25), ended(2, 0.75)], ["job-0002", "0.75", "0.5"]),
        (
            job(max_failed=1),
            [with_status(ended(3, phase=FAILED), reason="OOMKilled")],
            ["job-0003 (OOMKilled)", "limits.maxFailedTrials"],
        ),
        (job(duration=timedelta(minutes=5)), [], ["limits.maxDuration", "0:05:00"]),
        (job(trials=1), [ended(1, 0.1)], ["all 1 trials"]),
        (job(space=TWO_POINTS), [ended(1, 0.1), ended(2, 0.1)], ["all 2 points"]),
        (job(stop=True), [], ["spec.stop"]),
    ],
)
def test_the_message_has_the_numbers_in_it(a_job: Job, trials: list[Trial], words: list[str]) -> None:
    end = completion(a_job, trials, NOW)
    assert end is not None
    assert all(word in end.message for word in words), end.message


def test_a_message_about_many_failures_stays_short() -> None:
    end = completion(job(max_failed=1), [ended(n, phase=FAILED) for n in range(1, 900)], NOW)
    assert end is not None
    assert len(end.message) < 400
    assert "and 889 more" in end.message


@pytest.mark.parametrize(
    ("goal", "trials", "best"),
    [
        (Goal.MAXIMIZE, [], None),
        (Goal.MAXIMIZE, [ended(1, 0.1), ended(2, 0.3), ended(3, 0.2)], 2),
        (Goal.MINIMIZE, [ended(1, 0.1), ended(2, 0.3), ended(3, 0.2)], 1),
        (Goal.MAXIMIZE, [ended(2, 0.3), ended(1, 0.3)], 1),
        (Goal.MAXIMIZE, [ended(1, NAN), ended(2, -5.0)], 2),
        (Goal.MINIMIZE, [ended(1, -INF), ended(2, 5.0)], 2),
        (Goal.MAXIMIZE, [ended(1, NAN), ended(2, INF)], None),
        (Goal.MAXIMIZE, [ended(1, 0.9, phase=FAILED), ended(2, 0.1)], 2),
        (Goal.MAXIMIZE, [ended(1, 0.9, phase=TrialPhase.EARLY_STOPPED), ended(2, 0.1)], 1),
        (Goal.MAXIMIZE, [trial(1, TrialPhase.RUNNING, curve=ended(1, 0.9).curve)], None),
        (Goal.MAXIMIZE, [ended(1, phase=TrialPhase.STOPPED)], None),
    ],
)
def test_the_best_trial_is_the_ended_one_with_the_best_finite_objective(
    goal: Goal, trials: list[Trial], best: int | None
) -> None:
    found = best_trial(job(goal=goal), trials)
    assert (found.number if found else None) == best


@pytest.mark.parametrize(
    ("which", "phase"),
    [
        (CompletionReason.MAX_TRIALS, JobPhase.COMPLETED),
        (CompletionReason.MAX_FAILED_TRIALS, JobPhase.FAILED),
        (CompletionReason.STOPPED_BY_USER, JobPhase.STOPPED),
        (CompletionReason.INVALID_TEMPLATE, JobPhase.FAILED),
    ],
)
def test_the_phase_that_a_reason_leads_to(which: CompletionReason, phase: JobPhase) -> None:
    assert (which.phase, which.is_failure) == (phase, phase is JobPhase.FAILED)


def test_the_size_of_a_mixed_space_decides_about_exhaustion() -> None:
    space = Space((Integer("layers", 1, 2), Categorical("optimizer", ("sgd", "adam"))))
    assert reason(job(space=space), *(ended(n, 0.1) for n in range(1, 4))) is None
    assert reason(job(space=space), *(ended(n, 0.1) for n in range(1, 5))) is CompletionReason.SPACE_EXHAUSTED
