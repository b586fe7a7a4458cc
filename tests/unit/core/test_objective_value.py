"""`objective.value`: whether the last or the best epoch of a trial is its objective, and who goes by that."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.unit.builders import curve, ended, job, running_pod, snapshot, trial
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.completion import completion
from tuning_operator.core.lifecycle.parents import inherit
from tuning_operator.core.model.curves import Curve, Goal, Measurement
from tuning_operator.core.model.early_stopping import (
    EarlyStopping,
    EarlyStoppingType,
    Hyperband,
    MedianKnobs,
    Statistic,
)
from tuning_operator.core.model.job import CompletionReason, Job, JobPhase
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.ranking import best_trial, shown
from tuning_operator.core.model.spec import ObjectiveValue
from tuning_operator.core.model.trial import Trial, TrialPhase
from tuning_operator.core.report.summary import summarize
from tuning_operator.core.stopping import rule_for
from tuning_operator.core.stopping.what_if import what_if

if TYPE_CHECKING:
    from typing import Any

NAN, INF = math.nan, math.inf
AUTO = EarlyStopping(EarlyStoppingType.AUTO)
FALLING = (0.5, 0.9, 0.6)  # its best epoch is not its last


def best(item: Trial, goal: Goal = Goal.MAXIMIZE) -> Trial:
    return replace(item, best_for=goal)


def by_best(a_job: Job) -> Job:
    objective = replace(a_job.spec.objective, value=ObjectiveValue.BEST)
    return replace(a_job, spec=replace(a_job.spec, objective=objective))


@pytest.mark.parametrize(
    ("values", "goal", "expected"),
    [
        (FALLING, Goal.MAXIMIZE, (2, 0.9)),
        (FALLING, Goal.MINIMIZE, (1, 0.5)),
        ((0.9, 0.9, 0.1), Goal.MAXIMIZE, (1, 0.9)),
        ((0.4, NAN, INF), Goal.MAXIMIZE, (1, 0.4)),
        ((0.4, -INF), Goal.MINIMIZE, (1, 0.4)),
        ((INF, NAN), Goal.MAXIMIZE, (2, NAN)),
    ],
)
def test_the_best_epoch_is_the_first_of_the_best_finite_ones(
    values: tuple[float, ...], goal: Goal, expected: tuple[float, float]
) -> None:
    found = curve(*values).best(goal)
    assert found is not None
    assert (found.epoch, repr(found.value)) == (expected[0], repr(expected[1]))
    assert Curve().best(goal) is None


def test_a_trials_objective_is_what_its_job_asks_for() -> None:
    item = ended(1, *FALLING)
    assert (item.measured, item.objective) == (Measurement(3, 0.6), 0.6)
    assert (best(item).measured, best(item).objective) == (Measurement(2, 0.9), 0.9)
    running = best(trial(1, TrialPhase.RUNNING, curve=curve(*FALLING)))
    assert (running.measured, running.objective) == (Measurement(2, 0.9), None)


def test_a_model_learns_from_it_and_the_best_trial_is_found_by_it() -> None:
    trials = [ended(1, 0.7), best(ended(2, *FALLING))]
    a_job = by_best(job())
    assert Observation.of(trials[1]).objective == 0.9
    assert best_trial(a_job, trials) is trials[1]
    found = shown(a_job, best_trial(a_job, trials))
    assert found is not None
    assert (found.name, found.objective, found.epoch) == ("job-0002", 0.9, 2)


def test_a_target_is_reached_and_improvements_are_counted_by_it() -> None:
    a_job = by_best(job(target=0.85))
    reached = completion(a_job, [best(ended(1, *FALLING))], snapshot(a_job).now)
    assert reached is not None
    assert reached.reason is CompletionReason.TARGET
    assert completion(job(target=0.85), [ended(1, *FALLING)], snapshot(a_job).now) is None


def test_a_pass_suggests_from_it_and_reports_its_epoch() -> None:
    a_job = by_best(job(parallel=1))
    seen = snapshot(a_job, [best(ended(1, *FALLING))])
    decision = decide(seen)
    assert decision.suggest is not None
    assert [each.objective for each in decision.suggest.observations] == [0.9]
    status = summarize(seen, decision)
    assert status.best is not None
    assert status.best.measured == Measurement(2, 0.9)


@pytest.mark.parametrize("ours", list(ObjectiveValue))
def test_of_a_parents_curves_counts_what_counts_for_the_job(ours: ObjectiveValue) -> None:
    heir = job(parents=("base",))
    heir = by_best(heir) if ours is ObjectiveValue.BEST else heir
    parent = replace(job(phase=JobPhase.COMPLETED), name="base", uid="base-uid")
    expected = 0.9 if ours is ObjectiveValue.BEST else 0.6
    for its in (parent, by_best(parent)):
        found = inherit(heir, its, [ended(1, *FALLING), best(ended(2, *FALLING))])
        assert [each.objective for each in found.observations] == [expected, expected]
        assert found.best is not None
        assert found.best.objective == expected


PEAK = [0.5, 0.9, 0.9, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]
SLOW = [0.5, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]


def stops(config: Any, judged: list[float], others: list[list[float]], *, of_best: bool) -> bool:
    goal = Goal.MAXIMIZE if of_best else None
    known = [replace(ended(number, *values), best_for=goal) for number, values in enumerate(others, 2)]
    running = replace(trial(1, TrialPhase.RUNNING, curve=curve(*judged)), best_for=goal)
    return rule_for(config, Goal.MAXIMIZE, [running, *known])(running) is not None


def test_auto_aims_at_the_best_epoch_of_the_completed_ones() -> None:
    """A trial at 0.5 can reach what the others ended with, but not what they had been."""
    assert stops(AUTO, SLOW[:4], [PEAK] * 3, of_best=True)
    assert not stops(AUTO, SLOW[:4], [PEAK] * 3, of_best=False)


def test_the_median_is_of_the_best_so_far() -> None:
    """At the last epoch 0.6 beats an average of all values, and not one of the best ones."""
    config = EarlyStopping(EarlyStoppingType.MEDIAN, MedianKnobs(Statistic.BEST))
    judged = [0.6] * 9
    assert stops(config, judged, [PEAK] * 3, of_best=True)
    assert not stops(config, judged, [PEAK] * 3, of_best=False)


def test_hyperband_compares_the_best_up_to_the_rung() -> None:
    config = Hyperband(min_resource=1, max_resource=27, reduction_factor=3)
    low, high = [0.9] + [0.1] * 8, [0.5] * 9
    fitting = [number for number in range(1, 60) if config.bracket(number) == 0][:3]

    def verdict(*, of_best: bool) -> bool:
        goal = Goal.MAXIMIZE if of_best else None
        one, *others = (
            replace(trial(number, TrialPhase.RUNNING, curve=curve(*values)), best_for=goal)
            for number, values in zip(fitting, (low, high, high), strict=True)
        )
        return rule_for(config, Goal.MAXIMIZE, [one, *others])(one) is not None

    assert not verdict(of_best=True)
    assert verdict(of_best=False)


def test_a_diverged_trial_is_stopped_and_keeps_its_best_epoch() -> None:
    a_job = by_best(job(parallel=1, early_stopping=AUTO))
    others = [best(ended(number, 0.5, 0.7, 0.8, 0.8, 0.8)) for number in (2, 3, 4)]
    running = best(trial(1, TrialPhase.RUNNING, curve=curve(0.5, 0.9, NAN, NAN), attempt_uid="pod-uid-1-1"))
    decision = decide(snapshot(a_job, [running, *others], [running_pod(1)]))
    stopped = decision.trials[0]
    assert stopped.phase is TrialPhase.STOPPING
    done = replace(stopped, status=replace(stopped.status, phase=TrialPhase.EARLY_STOPPED))
    assert best_trial(a_job, [done, *others]) is done


def test_a_replay_finds_the_winner_by_it() -> None:
    trials = [best(ended(1, 0.7, 0.7)), best(ended(2, 0.9, 0.1))]
    found = what_if(by_best(job()), trials, EarlyStopping(EarlyStoppingType.OFF))
    assert found.best is not None
    assert (found.best.name, found.best.objective) == ("job-0002", 0.9)
