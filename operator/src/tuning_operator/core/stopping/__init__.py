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
    """Return the rule that says why a running trial should stop now; None lets it continue.

    What the rule needs from the trials' curves is computed here, once for all trials to judge.

    Args:
        config: The job's choice of rule, or its strategy Hyperband, which has its own rule.
        goal: Which direction of the objective is better.
        trials: All trials of the job, those to judge included, with curves up to date. A running trial's epochs
            after a gap are ignored.
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
