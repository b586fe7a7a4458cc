"""What the experiment says has been saved, on made jobs."""

from __future__ import annotations

import math

import pytest

from experiment.pairs import Pair, best_so_far, end_delay, gap, pairs, undelayed
from experiment.records import VARIANTS, Kind, Stopping
from tests.unit.experiment.made import OFF, at, both, job, trial


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
    assert [pair.base.seed for pair in pairs(records, Kind.REFERENCE)] == [1, 2], "3 has only one half"
    assert [pair.base.epoch_seconds for pair in pairs(records, Kind.CROSSOVER)] == [1, 6]
    assert all(
        (pair.base.stopping, pair.variant.stopping) == VARIANTS[kind] for kind in Kind for pair in pairs(records, kind)
    )


def test_the_best_for_the_same_bill_leaves_out_what_the_dearer_job_found_afterwards() -> None:
    """When the cheaper job has trained its 32 s, the other one knows its first two trials."""
    cheap = job(Stopping.AUTO).model_copy(update={"trials": (*OFF[:2], trial(3, 12, 24, 0.9)), "training_seconds": 32})
    dear = job(Stopping.OFF).model_copy(update={"trials": (*OFF[:3], trial(4, 14, 34, 0.95)), "training_seconds": 50})
    assert Pair(dear, cheap).same_bill == (0.8, 0.9)
    assert Pair(cheap, dear).same_bill == (0.9, 0.8)


def test_a_paused_trial_trains_nothing_until_it_resumes() -> None:
    """It trained from 0 to 4 s, resumed at 20 s and ended at 26 s."""
    paused = trial(1, 0, 26, 0.5).model_copy(update={"training_seconds": 10, "resumed": at(20)})
    assert [paused.trained(at(now)) for now in (0, 3, 4, 10, 20, 23, 26, 30)] == [0, 3, 4, 4, 4, 7, 10, 10]
    given_up = trial(1, 0, 26, 0.5).model_copy(update={"training_seconds": 4})
    assert [given_up.trained(at(now)) for now in (3, 10, 30)] == [3, 4, 4]


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
