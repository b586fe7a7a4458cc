"""What a model gets to see of objectives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from tuning_operator.core.curves import Goal
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


@given(st.lists(st.none() | st.floats(), min_size=1, max_size=40), st.sampled_from(Goal))
def test_any_objectives_become_finite_utilities_in_the_same_order(objectives: list[float | None], goal: Goal) -> None:
    result = utilities(goal, objectives)
    assert np.isfinite(result).all()
    assert abs(result.mean()) < 1e-6
    finite = [index for index, value in enumerate(objectives) if value is not None and math.isfinite(value)]
    ordered = sorted(finite, key=lambda index: goal.orient(objectives[index]))  # type: ignore[arg-type]
    assert (np.diff(result[ordered]) >= -1e-9).all()
