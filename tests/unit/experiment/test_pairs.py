"""What the experiment says has been saved, on made jobs."""

from __future__ import annotations

import math

import pytest

from experiment.pairs import Pair, best_so_far, end_delay, gap, pairs, undelayed
from experiment.records import Kind, Stopping
from tests.unit.experiment.made import OFF, both, job, trial


def test_savings_are_shares_of_the_job_without_stopping() -> None:
    pair = Pair(*both())
    assert pair.training_saved == pytest.approx(4 / 40)
    assert pair.clock_saved == pytest.approx(2 / 24)
    assert pair.epochs_saved == pytest.approx(2 / 16)
    assert pair.gained == 0


def test_jobs_are_paired_by_length_and_seed() -> None:
    records = [
        *both(seed=2),
        *both(seed=1),
        job(Stopping.OFF, seed=3),
        *both(kind=Kind.CROSSOVER, epoch_seconds=6),
        *both(kind=Kind.CROSSOVER, epoch_seconds=1),
    ]
    assert [pair.off.seed for pair in pairs(records, Kind.REFERENCE)] == [1, 2], "3 has only one half"
    assert [pair.off.epoch_seconds for pair in pairs(records, Kind.CROSSOVER)] == [1, 6]
    assert all(
        (pair.off.stopping, pair.auto.stopping) == (Stopping.OFF, Stopping.AUTO)
        for kind in Kind
        for pair in pairs(records, kind)
    )


def test_what_a_stopped_trial_cost_beyond_the_deciding_epoch() -> None:
    assert end_delay(job(Stopping.AUTO, epoch_seconds=2.5)) == pytest.approx(6 - 2.5)
    assert math.isnan(end_delay(job(Stopping.OFF, epoch_seconds=2.5))), "nothing was stopped"


def test_what_would_have_been_saved_without_delay() -> None:
    good = [trial(number, 0, 8, 0.70, 0.75, 0.80, 0.80 + number / 100) for number in (1, 2, 3, 4)]
    hopeless = trial(5, 8, 16, 0.1, 0.1, math.nan, 0.1)
    record = job(Stopping.OFF).model_copy(update={"trials": (*good, hopeless)})
    rule = undelayed(record)
    assert rule.saved == pytest.approx(2 / 20), "at its second epoch, the first that is judged"
    assert rule.lost == 0


def test_what_the_rule_would_have_lost() -> None:
    good = [trial(number, 0, 8, 0.70, 0.75, 0.80, 0.80 + number / 100) for number in (1, 2, 3, 4)]
    late = trial(5, 8, 16, 0.1, 0.1, 0.5, 0.9)
    rule = undelayed(job(Stopping.OFF).model_copy(update={"trials": (*good, late)}))
    assert rule.saved == pytest.approx(2 / 20)
    assert rule.lost == pytest.approx(0.9 - 0.84)


def test_how_long_a_slot_was_empty() -> None:
    assert gap(job(Stopping.OFF)) == pytest.approx((2 * 24 - 40) / 4)


def test_the_best_so_far_over_the_seconds_of_all_trials() -> None:
    assert list(best_so_far(job(Stopping.OFF))) == [(20, 0.4), (20, 0.8), (40, 0.8), (40, 0.8)]
    # When the third was stopped, 20 s had been trained by the first two, and 6 s by each of the others.
    assert list(best_so_far(job(Stopping.AUTO))) == [(20, 0.4), (20, 0.8), (32, 0.8), (36, 0.8)]


def test_what_failed_or_diverged_is_never_the_best() -> None:
    failed, diverged = trial(1, 0, 5, 0.99, phase="Failed"), trial(2, 0, 6, 0.9, math.nan)
    record = job(Stopping.OFF).model_copy(update={"trials": (failed, diverged, *OFF[2:])})
    assert [best for _, best in best_so_far(record)] == [0.1, 0.7]
