"""Decides whether a running trial is worth its remaining epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, Hyperband
from tuning_operator.core.stopping.gains import CONSTANTS
from tuning_operator.core.stopping.grid import Grid
from tuning_operator.core.stopping.hyperband import BelowRung
from tuning_operator.core.stopping.lengths import Lengths
from tuning_operator.core.stopping.median import BelowMedian
from tuning_operator.core.stopping.reach import OutOfReach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.model.trial import StopDecision, Trial
    from tuning_operator.core.stopping.gains import Constants

    Rule = Callable[[Trial], StopDecision | None]

__all__ = ["rule_for"]


def rule_for(
    config: EarlyStopping | Hyperband, goal: Goal, trials: Sequence[Trial], constants: Constants = CONSTANTS
) -> Rule:
    """Return the rule that says why a running trial should stop now; None lets it continue.

    What the rule needs from the trials' curves is computed here, once for all trials to judge.

    Args:
        config: The job's choice of rule, or its strategy Hyperband, which has its own rule.
        goal: Which direction of the objective is better.
        trials: All trials of the job, those to judge included, with curves up to date. A running trial's epochs
            after a gap are ignored.
        constants: How cautious `Auto` is: less when it pauses than when it stops.
    """
    if isinstance(config, EarlyStopping) and config.type is EarlyStoppingType.OFF:
        return lambda _: None
    grid = Grid(goal, trials)
    if isinstance(config, Hyperband):
        # How long a trial trains is known, whatever others did; one that trains longer is stopped for that.
        return _unless(BelowRung(config, goal, grid, trials), lambda _, place: place == config.max_resource, grid)
    lengths = Lengths(grid, trials)
    longest = grid.longest

    def is_at_its_end(trial: Trial, place: float) -> bool:
        own = lengths.of(trial.name) if lengths.parameter else None
        return place >= (longest if own is None else own)

    if config.type is EarlyStoppingType.AUTO:
        return _unless(OutOfReach(goal, grid, lengths, constants), is_at_its_end, grid)
    return _unless(BelowMedian(config.median, goal, grid), is_at_its_end, grid)


def _unless(rule: Rule, is_at_its_end: Callable[[Trial, float], bool], grid: Grid) -> Rule:
    """The rule for trials that have something left to save."""

    def judge(trial: Trial) -> StopDecision | None:
        latest = trial.curve.latest
        return None if latest is None or is_at_its_end(trial, grid.place(latest.epoch)) else rule(trial)

    return judge
