"""`limits.maxTrainingTime` and `limits.maxGPUHours`: what counts, when a job ends by it, and what it has cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.builders import NOW, ago, ended, ended_pod, job, running_pod, snapshot, trial, with_status
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.budget import spent_at
from tuning_operator.core.lifecycle.completion import completion, is_resumed
from tuning_operator.core.model.job import CompletionReason, Job, JobPhase
from tuning_operator.core.model.spec import Cost, Criteria, RunningTrials
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.core.report.cost import CostSoFar, cost_so_far

if TYPE_CHECKING:
    from tuning_operator.core.model.trial import Trial

TIME, HOURS = CompletionReason.MAX_TRAINING_TIME, CompletionReason.MAX_GPU_HOURS


def limited(
    *,
    seconds: float | None = None,
    hours: float | None = None,
    gpus: float = 0,
    price: float | None = None,
    **more: Any,
) -> Job:
    made = job(**more)
    allowed = None if seconds is None else timedelta(seconds=seconds)
    limits = replace(made.spec.limits, max_training_time=allowed, max_gpu_hours=hours)
    return replace(made, spec=replace(made.spec, limits=limits, cost=Cost(gpus, price, "EUR" if price else "")))


def done(number: int, seconds: int, phase: TrialPhase = TrialPhase.COMPLETED, **status: Any) -> Trial:
    return with_status(ended(number, 0.5, phase=phase), training_seconds=seconds, **status)


def training(number: int, since: float, before: int = 0) -> Trial:
    """A trial that runs; its earlier attempts have trained, too."""
    return trial(
        number,
        TrialPhase.RUNNING,
        attempt_uid=f"pod-uid-{number}-1",
        start_time=ago(since),
        training_seconds=before,
    )


@pytest.mark.parametrize(
    ("a_job", "trials", "expected"),
    [
        (limited(seconds=100), [done(1, 99)], None),
        (limited(seconds=100), [done(1, 60), done(2, 40, TrialPhase.FAILED)], TIME),
        (limited(seconds=100), [done(1, 60), training(2, since=39)], None),
        (limited(seconds=100), [done(1, 60), training(2, since=40)], TIME),
        (limited(seconds=100), [training(1, since=30, before=70)], TIME),  # a preempted one
        (limited(seconds=100), [trial(1, training_seconds=100)], TIME),  # its next attempt has not begun
        (limited(seconds=100, nodes=4), [done(1, 24)], None),
        (limited(seconds=100, nodes=4), [done(1, 25)], TIME),
        (limited(hours=1, gpus=8), [done(1, 449)], None),
        (limited(hours=1, gpus=8), [done(1, 450)], HOURS),
        (limited(hours=1, gpus=0.5, nodes=2), [done(1, 3600)], HOURS),
        (limited(seconds=100, hours=1, gpus=1), [done(1, 3600)], TIME),
    ],
)
def test_all_attempts_count_and_running_ones_up_to_now(
    a_job: Job, trials: list[Trial], expected: CompletionReason | None
) -> None:
    end = completion(a_job, trials, NOW)
    assert (end.reason if end else None) is expected


def test_the_message_says_what_was_used() -> None:
    end = completion(limited(hours=1, gpus=8, nodes=2), [done(1, 300)], NOW)
    assert end is not None
    assert end.message == (
        "limits.maxGPUHours (1) is used up: the trials have trained for 0:05:00 on 2 nodes, with 8 GPUs each"
    )


def test_once_spent_nothing_starts_and_what_runs_is_stopped_with_the_decision_recorded_first() -> None:
    a_job = limited(seconds=100, parallel=3)
    seen = snapshot(a_job, [done(1, 70), training(2, since=30), trial(3)], [ended_pod(1), running_pod(2)])
    decision = decide(seen)
    assert decision.phase is JobPhase.STOPPING
    assert (decision.suggest, decision.create_attempts) == (None, ())
    assert [item.phase for item in decision.changed] == [TrialPhase.STOPPING, TrialPhase.STOPPED]
    stop = decision.changed[0].status.stop
    assert stop is not None
    assert stop.reason == "MaxTrainingTimeReached"
    assert [attempt.name for attempt in decision.delete_attempts] == ["job-0002-1"]


def test_what_runs_may_finish_and_still_nothing_starts() -> None:
    finish = Criteria(running_trials=RunningTrials.FINISH)
    a_job = limited(seconds=100, parallel=2, completion=finish)
    decision = decide(snapshot(a_job, [done(1, 70), training(2, since=30)], [ended_pod(1), running_pod(2)]))
    assert [item.phase for item in decision.trials] == [TrialPhase.COMPLETED, TrialPhase.RUNNING]
    assert decision.suggest is None


def test_the_job_is_looked_at_when_the_budget_will_be_spent() -> None:
    a_job = limited(seconds=100, parallel=2)
    trials = [training(1, since=20), training(2, since=10)]
    assert spent_at(a_job, trials, NOW) == NOW + timedelta(seconds=35)
    decision = decide(snapshot(a_job, trials, [running_pod(1), running_pod(2)]))
    assert decision.wake_after == timedelta(seconds=35)
    assert spent_at(a_job, [done(1, 10)], NOW) is None
    assert spent_at(job(), trials, NOW) is None
    for gpus in (0.01, 1e-307):
        assert spent_at(limited(hours=1e6, gpus=gpus), trials, NOW) == NOW + timedelta(days=1)


@pytest.mark.parametrize(("seconds", "resumes"), [(100, False), (101, True), (None, True)])
def test_a_higher_budget_lets_the_job_go_on(seconds: float | None, resumes: bool) -> None:
    over = limited(seconds=seconds, phase=JobPhase.COMPLETED, completion_reason=TIME, generation=2)
    over = replace(over, observed_generation=1, completion_time=ago(10))
    assert is_resumed(over, [done(1, 100)], NOW) is resumes


@pytest.mark.parametrize(
    ("gpus", "price", "seconds", "attempts", "expected"),
    [
        (0, 2.5, 3600, 1, None),
        (1, None, 3600, 1, CostSoFar("1.000")),
        (8, 2.0, 3600, 1, CostSoFar("8.00", "16.00", "EUR")),
        (8, 2.0, 3600, 100, CostSoFar("8", "16", "EUR")),
        (8, 100.0, 360_000, 1000, CostSoFar("800", "80000", "EUR")),
        (64, 2.0, 86_400, 1000, CostSoFar("1500", "3100", "EUR")),
        (0.25, 1.0, 60, 1, CostSoFar("0.004", "0.004", "EUR")),
    ],
)
def test_a_cost_has_no_digit_that_is_not_known(
    gpus: float, price: float | None, seconds: int, attempts: int, expected: CostSoFar | None
) -> None:
    """Each attempt may be off by a second: eight GPUs for a hundred attempts, by a fifth of an hour."""
    a_job = limited(gpus=gpus, price=price)
    assert cost_so_far(a_job, [done(1, seconds, attempt=attempts)]) == expected


def test_before_anything_has_ended_nothing_has_been_spent() -> None:
    assert cost_so_far(limited(gpus=1, price=2.0), []) == CostSoFar("0.000", "0.000", "EUR")
