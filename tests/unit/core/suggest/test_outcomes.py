"""What a model gets to see of objectives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from tuning_operator.core.model.curves import Goal
from tuning_operator.core.suggest.outcomes import utilities

NORMAL = norm.ppf((np.arange(25) + 0.5) / 25)
"""Twenty-five values as a normal distribution spreads them, ascending."""


@pytest.mark.parametrize(
    "objectives",
    [10 ** (2 * NORMAL), NORMAL, 1000 + NORMAL, -np.exp(-3 * NORMAL), 1e-200 * np.exp(NORMAL)],
    ids=["decades", "as they are", "far from zero", "negative decades", "tiny"],
)
def test_values_are_told_apart_on_whatever_scale_they_come(objectives: np.ndarray) -> None:
    assert utilities(Goal.MAXIMIZE, objectives.tolist()) == pytest.approx(NORMAL / NORMAL.std(), abs=0.1)


def test_a_loss_and_its_negative_are_the_same() -> None:
    losses = np.exp(NORMAL).tolist()
    assert utilities(Goal.MINIMIZE, losses) == pytest.approx(utilities(Goal.MAXIMIZE, [-loss for loss in losses]))


def test_what_failed_or_exploded_hides_no_differences() -> None:
    plain = utilities(Goal.MINIMIZE, np.exp(NORMAL).tolist())
    spoiled = utilities(Goal.MINIMIZE, [*np.exp(NORMAL).tolist(), 1e30, math.inf, math.nan, None])
    assert np.ptp(spoiled[:10]) > 0.5 * np.ptp(plain[:10])
    assert spoiled[25] <= spoiled[:25].min()
    assert spoiled[26:] == pytest.approx(spoiled[25])


@pytest.mark.parametrize("exploded", [1e13, 1e30, 1e300, 1.7e308])
def test_an_exploded_value_takes_the_place_of_a_bad_one(exploded: float) -> None:
    losses = [0.50, 0.51, 0.52, 0.53, 0.54]
    for goal, objectives in (
        (Goal.MAXIMIZE, [0.85, 0.8, 0.7, 0.5, 0.2, -exploded]),
        (Goal.MINIMIZE, [*losses, exploded]),
        (Goal.MINIMIZE, [*losses[:2], *losses[:2], *losses[:1] * 6, exploded]),  # most values are equal
    ):
        found, plain = utilities(goal, objectives), utilities(goal, objectives[:-1])
        assert np.argmin(found) == len(objectives) - 1
        assert np.ptp(found[:-1]) > 0.5 * np.ptp(plain), objectives


def test_values_are_told_apart_though_more_than_a_quarter_has_exploded() -> None:
    good = (0.9 + 0.01 * NORMAL).tolist()
    found = utilities(Goal.MAXIMIZE, [*good, *(-(10.0 ** (4 + power)) for power in range(20))])
    assert np.ptp(found[:25]) > 0.8
    assert (np.diff(found[:25]) > 0.02).all()
    assert found[25:].max() < found[:25].min()


def test_bad_values_that_have_not_exploded_are_weighed_as_ever() -> None:
    """The recorded benchmarks stand on these figures, whose exponent is not rounded."""
    found = utilities(Goal.MAXIMIZE, [0.1, 0.1, 0.1, 0.9, 0.91, 0.92, 0.905, -3.0])
    recorded = [-0.676029, -0.676029, -0.676029, 0.918298, 0.947992, 0.977946, 0.933113, -1.749261]
    assert found == pytest.approx(recorded, abs=0.01)


@given(st.lists(st.none() | st.floats(), min_size=1, max_size=40), st.sampled_from(Goal))
def test_any_objectives_become_finite_utilities_in_the_same_order(objectives: list[float | None], goal: Goal) -> None:
    result = utilities(goal, objectives)
    assert np.isfinite(result).all()
    assert abs(result.mean()) < 1e-6
    finite = [index for index, value in enumerate(objectives) if value is not None and math.isfinite(value)]
    ordered = sorted(finite, key=lambda index: goal.orient(objectives[index]))  # type: ignore[arg-type]
    assert (np.diff(result[ordered]) >= -1e-9).all()
