"""Early stopping compares trials at the same place in their training, whatever epochs their logs have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit import builders as build
from tuning_operator.core.model.curves import Curve, Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, Hyperband, MedianKnobs
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase
from tuning_operator.core.stopping import rule_for
from tuning_operator.core.stopping.judging import judged
from tuning_operator.core.stopping.savings import savings

if TYPE_CHECKING:
    from collections.abc import Sequence

AUTO, MEDIAN = EarlyStopping(EarlyStoppingType.AUTO), EarlyStopping(EarlyStoppingType.MEDIAN)
EAGER = EarlyStopping(EarlyStoppingType.MEDIAN, MedianKnobs(min_completed_trials=1, min_epochs=1, min_progress=0))

GRIDS = {
    "every epoch": [float(epoch) for epoch in range(1, 21)],
    "counted from 0": [float(epoch) for epoch in range(20)],
    "strides": [float(epoch) for epoch in range(5, 101, 5)],
    "every other one": [float(epoch) for epoch in range(1, 41, 2)],
    "strides from 0": [float(epoch) for epoch in range(0, 100, 5)],
    "fractions": [epoch / 10 for epoch in range(1, 21)],
    "rounded fractions": [round(epoch / 7.5, 2) for epoch in range(1, 21)],
    "resumed": [float(epoch) for epoch in range(5, 25)],
    "wider and wider": [float(epoch) for epoch in (1, 2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80, 100, 150, 200, 300)],
}


def trial(
    number: int, epochs: Sequence[float], values: Sequence[float], phase: TrialPhase = TrialPhase.COMPLETED
) -> Trial:
    curve = Curve.of(zip(epochs, values, strict=True))
    return build.trial(number, phase, curve=curve)


def rising(start: float, epochs: Sequence[float]) -> list[float]:
    return [start + 0.1 * epoch / epochs[-1] for epoch in epochs]


def decision(
    config: EarlyStopping | Hyperband, others: Sequence[Trial], epochs: Sequence[float], value: float
) -> StopDecision | None:
    running = trial(9, epochs, [value] * len(epochs), TrialPhase.RUNNING)
    return rule_for(config, Goal.MAXIMIZE, [*others, running])(running)


@pytest.mark.parametrize("config", [AUTO, MEDIAN, Hyperband(1, 1000, 3)], ids=["Auto", "Median", "Hyperband"])
@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_a_poor_trial_is_stopped_and_a_good_one_goes_on(config: EarlyStopping | Hyperband, grid: list[float]) -> None:
    bracket = [number for number in range(1, 40) if Hyperband(1, 1000, 3).bracket(number) == 0][:4]
    others = [trial(number, grid, rising(0.5 + number / 1000, grid)) for number in bracket]
    middle = [epoch for epoch in grid if epoch <= 0.6 * grid[-1]]
    for number, value, stops in [(bracket[3], 0.1, True), (bracket[3], 0.9, False)]:
        running = trial(number, middle, [value] * len(middle), TrialPhase.RUNNING)
        stop = rule_for(config, Goal.MAXIMIZE, [*others[:3], running])(running)
        assert (stop is not None) == stops
        if stop:
            assert stop.epoch == middle[-1]
            assert f"epoch {middle[-1]:g}:" in stop.message


def test_a_lost_epoch_is_not_taken_for_the_next_one() -> None:
    """The trial is as good as the others at each epoch that is known of it."""
    grid = GRIDS["strides"]
    others = [trial(number, grid, [epoch / 100 for epoch in grid]) for number in range(1, 5)]
    holey = [epoch for epoch in grid[:12] if epoch != 25]
    running = trial(9, holey, [epoch / 100 for epoch in holey], TrialPhase.RUNNING)
    for config in (AUTO, MEDIAN):
        assert rule_for(config, Goal.MAXIMIZE, [*others, running])(running) is None
    late = replace(running, status=replace(running.status, phase=TrialPhase.COMPLETED))
    stop = decision(MEDIAN, [*others[:2], late], grid[:10], 0.2)
    assert stop
    assert stop.threshold == pytest.approx(0.275)  # the average of 0.05 to 0.5, with or without 0.25


@pytest.mark.parametrize("grid", ["every epoch", "strides", "fractions"])
def test_a_trial_is_judged_up_to_the_first_epoch_that_was_lost(grid: str) -> None:
    epochs = GRIDS[grid]
    others = [trial(number, epochs, rising(0.5, epochs)) for number in range(1, 5)]
    cut = [*epochs[:6], *epochs[7:9]]
    stop = decision(MEDIAN, others, cut, 0.1)
    assert stop
    assert stop.epoch == epochs[5]
    assert decision(MEDIAN, others, epochs[3:9], 0.1) is None, "its beginning was lost"


def test_logs_with_other_steps_are_compared_at_the_same_epoch() -> None:
    """A batch twice as large logs half as often."""
    fine = [epoch / 10 for epoch in range(1, 101)]
    coarse = [epoch / 5 for epoch in range(1, 51)]
    odd = [round(epoch * 0.13, 2) for epoch in range(1, 77)]
    for epochs in (coarse, odd):
        others = [trial(number, fine, [epoch / 10 for epoch in fine]) for number in range(1, 5)]
        same = [epoch / 10 for epoch in epochs[:20]]
        running = trial(9, epochs[:20], same, TrialPhase.RUNNING)
        assert rule_for(MEDIAN, Goal.MAXIMIZE, [*others, running])(running) is None
        flat = [trial(number, fine, [0.9] * len(fine)) for number in range(1, 5)]
        stop = decision(AUTO, flat, epochs[:20], 0.1)
        assert stop
        assert stop.epoch == epochs[19]


def test_who_began_later_is_no_reference_before() -> None:
    early, late = [1.0, 2.0, 3.0, 4.0], [5.0, 10.0, 15.0]
    others = [trial(number, late, [0.9] * 3) for number in range(1, 5)]
    assert decision(MEDIAN, others, early, 0.1) is None
    assert decision(MEDIAN, others, [*early, 5.0, 6.0], 0.1) is not None


def test_min_epochs_counts_values_and_min_progress_counts_epochs() -> None:
    short = [epoch / 10 for epoch in range(1, 11)]  # less than two epochs in all
    others = [trial(number, short, [0.9] * 10) for number in range(1, 5)]
    assert (
        decision(EarlyStopping(EarlyStoppingType.MEDIAN, MedianKnobs(min_progress=0)), others, short[:1], 0.1) is None
    )
    assert decision(EarlyStopping(EarlyStoppingType.MEDIAN, MedianKnobs(min_progress=0)), others, short[:2], 0.1)
    later = MedianKnobs(min_progress=0.5)
    assert decision(EarlyStopping(EarlyStoppingType.MEDIAN, later), others, short[:4], 0.1) is None
    assert decision(EarlyStopping(EarlyStoppingType.MEDIAN, later), others, short[:5], 0.1)


@pytest.mark.parametrize(
    ("epochs", "reason"),
    [([5, 10, 15, 20, 25], None), ([5, 10, 15, 20, 25, 30], "MaxResourceReached"), ([9.5, 18.5, 27], None)],
)
def test_hyperbands_resources_are_epochs_as_the_log_says(epochs: list[float], reason: str | None) -> None:
    job = build.job()
    job = replace(job, spec=replace(job.spec, hyperband=Hyperband(1, 27)))
    [found] = judged((trial(1, epochs, [0.5] * len(epochs), TrialPhase.RUNNING),), job)
    assert (found.status.stop.reason if found.status.stop else None) == reason


def test_a_rung_between_two_epochs_is_passed_at_the_later_one() -> None:
    config = Hyperband(3, 27, 3)
    first = [number for number in range(1, 40) if config.bracket(number) == 0][:3]
    others = [trial(number, [5, 10, 15], [0.9] * 3) for number in first[:2]]
    running = trial(first[2], [5, 10], [0.1, 0.99], TrialPhase.RUNNING)
    stop = rule_for(config, Goal.MAXIMIZE, [*others, running])(running)
    assert stop is None, "at rung 9 it is judged by epoch 10"
    running = trial(first[2], [5], [0.1], TrialPhase.RUNNING)
    stop = rule_for(config, Goal.MAXIMIZE, [*others, running])(running)
    assert stop
    assert "had at epoch 5" in stop.message


def test_at_the_last_epoch_of_the_longest_trial_nobody_is_stopped() -> None:
    grid = GRIDS["fractions"]
    others = tuple(trial(number, grid, rising(0.5, grid)) for number in range(1, 5))
    job = build.job(early_stopping=MEDIAN)
    for count, phase in [(19, TrialPhase.STOPPING), (20, TrialPhase.RUNNING)]:
        found = judged((*others, trial(9, grid[:count], [0.1] * count, TrialPhase.RUNNING)), job)
        assert found[-1].phase is phase


@pytest.mark.parametrize(("grid", "saved"), [("every epoch", 10), ("strides", 50), ("resumed", 10), ("fractions", 1)])
def test_what_is_saved_are_epochs(grid: str, saved: int) -> None:
    epochs = GRIDS[grid]
    others = [trial(number, epochs, rising(0.5, epochs)) for number in range(1, 4)]
    stopped = trial(4, epochs[:10], [0.1] * 10, TrialPhase.EARLY_STOPPED)
    found = savings(build.job(early_stopping=AUTO), [*others, stopped])
    assert found
    assert found.stopped.epochs == saved


epochs_of_any_log = st.one_of(
    st.lists(st.integers(0, 30).map(float), unique=True, max_size=12),
    st.lists(st.floats(0, 30).map(lambda epoch: round(epoch, 6)), unique=True, max_size=12),
    st.builds(
        lambda first, step, count: [round(first + step * index, 6) for index in range(count)],
        st.floats(0, 5),
        st.floats(0.01, 7),
        st.integers(0, 20),
    ),
)
any_curve = epochs_of_any_log.flatmap(
    lambda epochs: st.lists(st.floats(), min_size=len(epochs), max_size=len(epochs)).map(
        lambda values: Curve.of(zip(epochs, values, strict=True))
    )
)
any_trials = st.lists(st.tuples(st.sampled_from(TrialPhase), any_curve), max_size=8)


@given(any_trials, st.sampled_from([AUTO, MEDIAN, EAGER, Hyperband(1, 27)]), st.sampled_from(Goal))
@settings(deadline=None)
def test_whatever_the_logs_say_a_decision_is_about_an_epoch_that_is_known(
    known: list[tuple[TrialPhase, Curve]], config: EarlyStopping | Hyperband, goal: Goal
) -> None:
    trials = [build.trial(number, phase, curve=curve) for number, (phase, curve) in enumerate(known, start=1)]
    rule = rule_for(config, goal, trials)
    for item in trials:
        stop = rule(item)
        assert stop is None or stop.epoch in item.curve.epochs
    job = build.job(early_stopping=AUTO, goal=goal)
    assert savings(job, judged(tuple(trials), job))
