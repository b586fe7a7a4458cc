"""Decides whether a running trial is worth its remaining epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.stopping.config import EarlyStopping, EarlyStoppingType, MedianKnobs, Statistic
from tuning_operator.core.stopping.hyperband import Hyperband, below_rung
from tuning_operator.core.stopping.median import below_median
from tuning_operator.core.stopping.reach import out_of_reach

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.curves import Goal
    from tuning_operator.core.trials import StopDecision, Trial

__all__ = ["EarlyStopping", "EarlyStoppingType", "Hyperband", "MedianKnobs", "Statistic", "below_rung", "judge"]


def judge(config: EarlyStopping, goal: Goal, trial: Trial, trials: Sequence[Trial]) -> StopDecision | None:
    """Return why the running trial is to be stopped now, or None when it goes on.

    Args:
        config: The job's choice of rule.
        goal: Which direction of the objective is better.
        trial: The trial to judge, its curve up to date; epochs behind a gap are not looked at.
        trials: All trials of the job, this one included, with curve, phase and parameters.
    """
    if not trial.curve.prefix():
        return None
    match config.type:
        case EarlyStoppingType.OFF:
            return None
        case EarlyStoppingType.MEDIAN:
            return below_median(config.median, goal, trial, trials)
        case EarlyStoppingType.AUTO:
            return out_of_reach(goal, trial, trials)
