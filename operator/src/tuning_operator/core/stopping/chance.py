"""Bound the chance that a trial beats the best one, no more precisely than the completed trials allow.

If a trial's further gain is drawn like those of `seen` completed trials, of which `sufficient` gained as much as it
lacks, then it gains more with a chance of at most (sufficient + 1) in (seen + 1). A trial that a rule picks out is not
drawn like that; `benchmarks/stop_chance.py` shows how the bound fares on recorded curves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuning_operator.core.stopping.wording import in_users_terms, number

if TYPE_CHECKING:
    from tuning_operator.core.model.curves import Goal, Series


class Chance(NamedTuple):
    """How many completed trials are known, and how many of them gained enough."""

    sufficient: int
    seen: int

    @property
    def bound(self) -> float:
        """The chance is at most this."""
        return (self.sufficient + 1) / (self.seen + 1)


def chance(lacks: float, then: Series, last: Series) -> Chance:
    """Count the completed trials that gained what a trial lacks.

    Args:
        lacks: What it is short of the best.
        then: The completed trials' values at the same epoch; diverged ones are left out.
        last: Their last values, in the same order.
    """
    finite = np.isfinite(then) & np.isfinite(last)
    gains = last[finite] - then[finite]
    return Chance(int(np.count_nonzero(gains >= lacks)), len(gains))


def chance_in_words(goal: Goal, value: float, then: Series, last: Series) -> str:
    """Continue a decision's sentence with the chance to beat the best; empty when that is unknown.

    It is unknown for a diverged trial, one that lacks nothing, and one without completed trials to compare with.
    """
    target = float(np.max(last, initial=-math.inf))
    lacks = target - value
    found = chance(lacks, then, last)
    if not found.seen or not 0 < lacks < math.inf:
        return ""
    return (
        f"; estimated chance to beat {number(in_users_terms(goal, target))}:"
        f" at most {found.sufficient + 1} in {found.seen + 1}"
        f" ({found.sufficient} of {found.seen} completed trials gained the {number(lacks)} that it lacks)"
    )
