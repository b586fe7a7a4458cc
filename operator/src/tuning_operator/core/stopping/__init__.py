"""Decides whether a running trial is worth its remaining epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, Hyperband
from tuning_operator.core.stopping.hyperband import BelowRung
from tuning_operator.core.stopping.median import BelowMedian
from tuning_operator.core.stopping.reach import OutOfReach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.model.trial import StopDecision, Trial

    Rule = Callable[[Trial], StopDecision | None]

__all__ = ["rule_for"]


def rule_for(config: EarlyStopping | Hyperband, goal: Goal, trials: Sequence[Trial]) -> Rule:
    """Return the rule that tells of a running trial why it is to be stopped now, or None when it goes on.

    What the rule needs of the trials' curves is worked out here, once for all trials that are to be judged.

    Args:
        config: The job's choice of rule, or its strategy Hyperband, which has a rule of its own.
        goal: Which direction of the objective is better.
        trials: All trials of the job, those to judge included, with curves up to date; of a running trial's curve
            epochs behind a gap are not looked at.
    """
    if isinstance(config, Hyperband):
        return BelowRung(config, goal, trials)
    match config.type:
        case EarlyStoppingType.OFF:
            return lambda _: None
        case EarlyStoppingType.MEDIAN:
            return BelowMedian(config.median, goal, trials)
        case EarlyStoppingType.AUTO:
            return OutOfReach(goal, trials)
