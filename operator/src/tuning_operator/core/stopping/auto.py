"""The rule for users who do not want to choose one: the median rule with guards that real curves ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.stopping.config import MedianKnobs
from tuning_operator.core.stopping.median import below_median

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.curves import Goal
    from tuning_operator.core.trials import StopDecision, Trial


def unpromising(goal: Goal, trial: Trial, trials: Sequence[Trial]) -> StopDecision | None:
    """Return why the trial is to be stopped, or None when it goes on."""
    return below_median(MedianKnobs(), goal, trial, trials)
