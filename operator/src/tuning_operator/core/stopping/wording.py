"""How decisions speak: goal-oriented numbers turned back into the user's, and compared in words."""

from __future__ import annotations

import math

from tuning_operator.core.curves import Goal


def in_users_terms(goal: Goal, oriented: float) -> float:
    """The objective's own value; NaN for one that diverged."""
    if not math.isfinite(oriented):
        return math.nan
    return oriented if goal is Goal.MAXIMIZE else -oriented


def comparison(goal: Goal, value: float, threshold: float) -> str:
    """Say that a goal-oriented value is worse than a threshold: '0.512 is below 0.631'."""
    if not math.isfinite(value):
        return f"the training diverged, which is worse than {number(in_users_terms(goal, threshold))}"
    side = "below" if goal is Goal.MAXIMIZE else "above"
    return f"{number(in_users_terms(goal, value))} is {side} {number(in_users_terms(goal, threshold))}"


def number(value: float) -> str:
    """A measured value, short."""
    return f"{value:.4g}"
