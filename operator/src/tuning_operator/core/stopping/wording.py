"""How decisions speak: goal-oriented numbers turned back into the user's, and compared in words."""

from __future__ import annotations

import math

from tuning_operator.core.model.curves import Goal


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
    a, b = in_users_terms(goal, value), in_users_terms(goal, threshold)
    digits = next((digits for digits in range(4, 17) if number(a, digits) != number(b, digits)), 17)
    return f"{number(a, digits)} is {side} {number(b, digits)}"


def number(value: float, digits: int = 4) -> str:
    """A measured value, short."""
    return f"{value:.{digits}g}"
