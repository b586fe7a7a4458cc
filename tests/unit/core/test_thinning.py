from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit import builders as build
from tuning_operator.api.trial import parse_status, render_status
from tuning_operator.core.decide import decide
from tuning_operator.core.model.attempt import Reading
from tuning_operator.core.model.curves import Curve, Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType
from tuning_operator.core.model.thinning import (
    MOST_POINTS,
    MOST_POINTS_OF_JOB,
    points_per_trial,
    thinned,
    with_thinned_curve,
)
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase
from tuning_operator.core.report.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST, LONG = 200, 39_999


def long_curve(count: int, seed: int = 0, step: float = 1.0) -> Curve:
    noise = np.random.default_rng(seed).normal(0, 0.01, LONG)[:count]
    return Curve.from_lists(np.arange(1, count + 1) * step, np.log(np.arange(1, count + 1)) + noise)


def test_a_short_curve_is_kept_whole() -> None:
    curve = long_curve(MOST)
    assert thinned(curve, MOST, Goal.MAXIMIZE) is curve


@pytest.mark.parametrize("goal", Goal)
@pytest.mark.parametrize("step", [1.0, 5.0, 0.01])
def test_first_last_best_and_judged_epochs_stay_and_the_rest_is_spread_evenly(goal: Goal, step: float) -> None:
    curve = long_curve(7777, step=step)
    spike = curve.values.copy()
    spike[4321] = 99.0 if goal is Goal.MAXIMIZE else -99.0
    curve = Curve.from_lists(curve.epochs, spike)
    judged = float(curve.epochs[1234])
    found = thinned(curve, MOST, goal, [judged])
    assert MOST / 2 - 4 <= len(found) <= MOST
    assert {float(curve.epochs[index]) for index in (0, 1234, 4321, -1)} <= set(found.epochs.tolist())
    assert np.max(np.diff(found.epochs)) <= 2.5 * np.median(np.diff(found.epochs))
    assert (found.count, found.thinned) == (7777, True)
    assert not curve.conflicts(found)


def test_what_is_left_out_of_a_growing_curve_stays_left_out() -> None:
    """Else the status would change, and be written, with each epoch; and it is the same after a restart."""
    recorded, dropped = Curve(), set[float]()
    for count in range(0, 5000, 7):
        reading = long_curve(count)
        recorded = thinned(recorded.merge(reading), MOST, Goal.MAXIMIZE)
        kept = set(recorded.epochs.tolist())
        assert not kept & dropped - {float(count)}
        dropped |= set(reading.epochs.tolist()) - kept
        assert recorded == thinned(reading, MOST, Goal.MAXIMIZE)
        assert recorded.count == count
        assert not recorded.conflicts(reading)


def test_a_thinned_curve_counts_what_follows_it() -> None:
    """A gauge shows new epochs only."""
    known = thinned(long_curve(1000), MOST, Goal.MAXIMIZE)
    assert known.merge(Curve.of([(1000, 1.0), (1001, 1.0), (1002, 1.0)])).count == 1002
    assert known.merge(Curve.of([(2, 1.0), (3, 1.0)])).count == 1000


@given(
    st.lists(st.floats(0, LONG).map(lambda epoch: round(epoch, 6)), unique=True, min_size=2, max_size=120),
    st.integers(8, 40),
)
@settings(deadline=None)
def test_any_epochs_are_thinned_within_the_bound(epochs: Sequence[float], most: int) -> None:
    curve = Curve.of((epoch, epoch) for epoch in epochs)
    found = thinned(curve, most, Goal.MAXIMIZE, [curve.epochs[len(curve) // 2]])
    assert len(found) <= most
    assert (found.first, found.latest, found.count) == (curve.first, curve.latest, len(curve))


def test_the_curves_of_a_job_are_bounded_together() -> None:
    assert points_per_trial(20) == MOST_POINTS
    assert points_per_trial(100) == MOST_POINTS
    for trials in (101, 1000, 10_000):
        assert points_per_trial(trials) * trials <= MOST_POINTS_OF_JOB


def test_a_thinned_curve_is_told_once_and_read_back_as_it_was() -> None:
    job, running = build.job(trials=1000), build.trial(1, TrialPhase.RUNNING, attempt_uid="pod-uid-1-1")
    reading = {running.attempt_name: Reading(long_curve(1000))}
    found = decide(build.snapshot(job, [running], [build.running_pod(1)], reading))
    notices = [notice for notice in found.notices if notice.reason == "CurveThinned"]
    assert [notice.trial.name for notice in notices if notice.trial] == [running.name]
    assert notices[0].message.startswith("status.curve keeps 251 of 1000 epochs")
    [changed] = found.changed
    status = render_status(changed, build.NOW)
    assert (status["epochs"], status["curve"]["thinned"]) == (1000, True)
    assert len(status["curve"]["epochs"]) <= 400
    again = replace(changed, status=parse_status({key: value for key, value in status.items() if value is not None}))
    assert again.status == changed.status
    second = decide(build.snapshot(job, [again], [build.running_pod(1)], reading))
    assert (second.changed, second.notices) == ((), ())


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_epoch_that_was_judged_is_kept(dry_run: bool) -> None:
    stop = StopDecision("OutOfReach", "because", epoch=1234)
    trial = build.trial(
        1,
        TrialPhase.RUNNING,
        curve=long_curve(9999),
        stop=None if dry_run else stop,
        would_stop=stop if dry_run else None,
    )
    assert 1234 in with_thinned_curve(trial, build.job(trials=1000)).curve.epochs


def _completed(number: int, epochs: int, job_trials: int) -> dict[str, object]:
    trial = build.trial(number, TrialPhase.COMPLETED, curve=long_curve(epochs, number))
    status = render_status(with_thinned_curve(trial, build.job(trials=job_trials)), build.NOW)
    return {key: value for key, value in status.items() if value is not None}


def test_a_pass_over_long_curves_costs_little_more_than_over_short_ones() -> None:
    """Read, decide and sum up, as each pass does: 80 trials of 39,999 epochs took ten seconds."""
    job = build.job(trials=100, early_stopping=EarlyStopping(EarlyStoppingType.AUTO))

    def seconds(epochs: int) -> float:
        bodies = [_completed(number, epochs, 100) for number in range(1, 81)]
        reading = {f"job-{number:04d}-1": Reading(long_curve(epochs // 2)) for number in (81, 82)}
        times = []
        for _ in range(3):
            begin = time.process_time()
            trials: list[Trial] = [
                replace(build.trial(number), status=parse_status(body)) for number, body in enumerate(bodies, start=1)
            ]
            trials += [
                build.trial(number, TrialPhase.RUNNING, attempt_uid=f"pod-uid-{number}-1") for number in (81, 82)
            ]
            snapshot = build.snapshot(job, trials, [build.running_pod(81), build.running_pod(82)], reading)
            decision = decide(snapshot)
            summarize(snapshot, decision)
            for trial in decision.changed:
                render_status(trial, build.NOW)
            times.append(time.process_time() - begin)
        return min(times)

    assert seconds(LONG) < 10 * seconds(1000)
