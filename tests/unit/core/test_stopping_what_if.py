"""A replay decides as the operator would have, and says what it cannot know."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.unit.builders import NOW, curve, job, trial
from tuning_operator.core.model.curves import Curve, Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, Hyperband, MedianKnobs
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase
from tuning_operator.core.stopping import what_if as module
from tuning_operator.core.stopping.judging import judged
from tuning_operator.core.stopping.what_if import what_if

if TYPE_CHECKING:
    from collections.abc import Sequence

OFF = EarlyStopping()
AUTO = EarlyStopping(EarlyStoppingType.AUTO)
MEDIAN = EarlyStopping(EarlyStoppingType.MEDIAN)
EAGER = EarlyStopping(EarlyStoppingType.MEDIAN, MedianKnobs(min_completed_trials=1, min_epochs=1, min_progress=0))
RULES: list[EarlyStopping | Hyperband] = [OFF, AUTO, MEDIAN, EAGER, Hyperband(2, 12)]


def ran(number: int, *values: float, phase: TrialPhase = TrialPhase.COMPLETED, start: int | None = None) -> Trial:
    """A trial that took 10 s an epoch; one after the other unless `start` says when."""
    began = NOW + timedelta(seconds=1000 * number if start is None else start)
    seconds = 10 * len(values)
    return trial(
        number,
        phase,
        curve=curve(*values),
        start_time=began,
        completion_time=began + timedelta(seconds=seconds) if phase.is_final else None,
        training_seconds=seconds if phase.is_final else 0,
    )


def random_trials(seed: int, count: int = 12, epochs: int = 12) -> list[Trial]:
    random = np.random.default_rng(seed)
    steps = np.arange(1, epochs + 1)
    return [
        ran(number, *(random.uniform(0.3, 0.9) * (1 - np.exp(-random.uniform(0.1, 0.8) * steps))).tolist())
        for number in range(1, count + 1)
    ]


def as_the_operator(trials: Sequence[Trial], rule: EarlyStopping | Hyperband) -> dict[str, float | None]:
    """The epochs at which trials that run one after the other are stopped, when each epoch is judged at once."""
    hyperband = rule if isinstance(rule, Hyperband) else None
    a_job = job(early_stopping=OFF if hyperband else rule)  # type: ignore[arg-type]
    a_job = replace(a_job, spec=replace(a_job.spec, hyperband=hyperband))
    done: list[Trial] = []
    for item in trials:
        for length in range(1, len(item.curve)):
            grown = Curve.of(item.curve.measurements[:length])
            status = replace(item.status, phase=TrialPhase.RUNNING, curve=grown)
            *_, seen = judged((*done, replace(item, status=status)), a_job)
            if seen.status.stop:
                done.append(replace(seen, status=replace(seen.status, phase=TrialPhase.EARLY_STOPPED)))
                break
        else:
            done.append(item)
    return {item.name: item.status.stop.epoch if item.status.stop else None for item in done}


@pytest.mark.parametrize("rule", RULES, ids=["off", "auto", "median", "eager", "hyperband"])
@pytest.mark.parametrize("seed", range(4))
def test_trials_are_stopped_at_the_epoch_at_which_the_operator_would_have(
    rule: EarlyStopping | Hyperband, seed: int
) -> None:
    trials = random_trials(seed)
    result = what_if(job(), trials, rule)
    assert {item.name: item.stop.epoch if item.stop else None for item in result.trials} == as_the_operator(
        trials, rule
    )


def test_the_rules_of_the_comparison_do_stop_something() -> None:
    assert [what_if(job(), random_trials(1), rule).stopped > 0 for rule in RULES] == [False, True, True, True, True]


def test_what_it_saves_is_what_was_trained_after_the_decision() -> None:
    result = what_if(job(), [ran(1, 0.5, 0.6, 0.7, 0.8), ran(2, 0.1, 0.1, 0.2, 0.2)], EAGER)
    second = result.trials[1]
    assert second.stop is not None
    assert (second.stop.epoch, second.epochs_saved, second.seconds_saved) == (1, 3, 30)
    assert "epoch 1: 0.1 is below 0.5, the median of 1 completed trials" in second.stop.message
    assert (result.epochs_saved, result.seconds_saved, result.training_seconds, result.stopped) == (3, 30, 80, 1)
    assert result.winner_lost is False


def test_a_winner_that_starts_slowly_is_lost() -> None:
    result = what_if(job(), [ran(1, 0.5, 0.6, 0.7), ran(2, 0.1, 0.8, 0.9)], EAGER)
    assert result.winner_lost is True
    assert result.best is not None
    assert result.best_after is not None
    assert (result.best.name, result.best_after.name, result.best_after.objective) == ("job-0002", "job-0001", 0.7)
    minimized = what_if(job(goal=Goal.MINIMIZE), [ran(1, 0.5, 0.4, 0.3), ran(2, 0.9, 0.2, 0.1)], EAGER)
    assert minimized.winner_lost is True


def test_trials_count_in_the_order_in_which_they_ran() -> None:
    """The good one completes first only in one of the two."""
    good, bad = (0.5, 0.6, 0.7), (0.1, 0.1, 0.2)
    after = what_if(job(), [ran(1, *bad, start=100), ran(2, *good, start=0)], EAGER)
    before = what_if(job(), [ran(1, *bad, start=0), ran(2, *good, start=100)], EAGER)
    assert [item.stop is not None for item in after.trials] == [True, False]
    assert before.stopped == 0


def test_a_trial_that_was_stopped_sooner_is_not_known_to_its_end() -> None:
    stop = StopDecision("BelowMedian", "epoch 2: …", 2, 0.1, 0.5)
    stopped = ran(2, 0.1, 0.1, phase=TrialPhase.EARLY_STOPPED)
    stopped = replace(stopped, status=replace(stopped.status, stop=stop))
    result = what_if(job(), [ran(1, 0.5, 0.6, 0.7), stopped], OFF)
    assert result.trials[1].open_end
    assert result.trials[1].recorded_stop == stop
    assert result.trials[1].epochs_saved == 0
    assert "how 1 of the stopped trials would have continued" in result.unknown
    assert any("other hyperparameters would have been suggested" in sentence for sentence in result.unknown)
    sooner = what_if(job(), [ran(1, 0.5, 0.6, 0.7), stopped], EAGER).trials[1]
    assert sooner.stop is not None
    assert (sooner.stop.epoch, sooner.epochs_saved, sooner.open_end) == (1, 1, False)


def test_the_end_of_a_job_is_no_early_stop() -> None:
    ended = ran(2, 0.5, phase=TrialPhase.STOPPED)
    ended = replace(ended, status=replace(ended.status, stop=StopDecision("StoppedByUser", "the job ends")))
    assert what_if(job(), [ran(1, 0.5, 0.6), ended], OFF).trials[1].recorded_stop is None


def test_a_dry_run_and_trials_that_run_or_have_nothing_are_replayed_as_they_are() -> None:
    dry = replace(EAGER, dry_run=True)
    running = ran(2, 0.1, 0.1, phase=TrialPhase.RUNNING)
    result = what_if(job(), [ran(1, 0.5, 0.6, 0.7), running, trial(3)], dry)
    assert [item.name for item in result.trials] == ["job-0001", "job-0002"]
    assert result.trials[1].stop is not None
    assert not result.trials[1].open_end
    going_on = what_if(job(), [running], OFF)
    assert going_on.winner_lost is None
    assert "how 1 of the trials continue, which have not ended" in going_on.unknown


def test_without_a_difference_nothing_is_said_about_one() -> None:
    result = what_if(job(), [ran(1, 0.5, 0.6)], OFF)
    assert result.unknown == ("epochs have no times: they are spread evenly over the time of each trial",)
    assert what_if(job(), [], AUTO).trials == ()


def test_a_diverged_trial_is_never_the_winner() -> None:
    result = what_if(job(), [ran(1, math.nan, math.nan)], OFF)
    assert (result.best, result.winner_lost) == (None, None)


def test_long_jobs_are_judged_less_often_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def counted(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        return judged(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "judged", counted)
    monkeypatch.setattr(module, "MOST_MOMENTS", 20)
    result = what_if(job(), random_trials(1), AUTO)
    assert calls <= 20
    assert "the rule judged once for 8 of 144 epochs" in result.unknown
    assert result.stopped > 0
