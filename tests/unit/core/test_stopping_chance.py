from __future__ import annotations

import math

import numpy as np
import pytest

from tuning_operator.core.model.curves import Goal
from tuning_operator.core.stopping.chance import Chance, chance, chance_in_words

NAN, INF = math.nan, math.inf
THEN = np.array([0.1, 0.2, 0.3, -INF])
LAST = np.array([0.5, 0.4, 0.9, 0.8])  # gains of 0.4, 0.2 and 0.6; the last one is not known


@pytest.mark.parametrize(
    ("lacks", "found"), [(0.7, Chance(0, 3)), (0.6, Chance(1, 3)), (0.3, Chance(2, 3)), (0.01, Chance(3, 3))]
)
def test_completed_trials_that_gained_enough_are_counted(lacks: float, found: Chance) -> None:
    assert chance(lacks, THEN, LAST) == found


def test_the_bound_is_no_more_precise_than_what_was_seen() -> None:
    bounds = [Chance(sufficient, 8).bound for sufficient in (0, 1, 8)]
    assert bounds == [pytest.approx(1 / 9), pytest.approx(2 / 9), 1.0]


def test_the_bound_holds_for_gains_of_any_distribution() -> None:
    rng = np.random.default_rng(0)
    gains = rng.standard_cauchy(size=(20_000, 6))
    for lacks in (0.5, 3.0):
        bounds = [chance(lacks, np.zeros(5), row).bound for row in gains[:, :5]]
        assert np.mean(gains[:, 5] > lacks) <= np.mean(bounds)


@pytest.mark.parametrize(
    ("goal", "target"),
    [(Goal.MAXIMIZE, "0.9"), (Goal.MINIMIZE, "-0.9")],
)
def test_the_words_carry_the_numbers(goal: Goal, target: str) -> None:
    assert chance_in_words(goal, 0.45, THEN, LAST) == (
        f"; estimated chance to beat {target}: at most 2 in 4 (1 of 3 completed trials gained the 0.45 that it lacks)"
    )


@pytest.mark.parametrize(
    ("value", "then", "last"),
    [
        (-INF, THEN, LAST),  # a trial that has diverged
        (0.95, THEN, LAST),  # one that lacks nothing
        (0.5, THEN[:0], LAST[:0]),
        (0.5, THEN[3:], LAST[3:]),
        (0.5, np.array([0.5]), np.array([-INF])),
    ],
)
def test_nothing_is_said_where_nothing_can_be_told(value: float, then: np.ndarray, last: np.ndarray) -> None:
    assert chance_in_words(Goal.MAXIMIZE, value, then, last) == ""
