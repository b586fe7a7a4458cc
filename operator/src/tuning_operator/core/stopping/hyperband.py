"""Hyperband, asynchronous and by stopping: a trial goes on from rung to rung while it is among the best there.

Successive halving gives many trials a few epochs and few trials many: at each rung, `reduction_factor` times as far as
the one before, only the best share of 1/reduction_factor goes on. How early to start is a guess, so Hyperband runs
several brackets side by side, the first of which begins to choose at `min_resource` epochs and each next one a rung
later; they get as many trials as spend about the same in each (Li et al., JMLR 18, 2018). Nobody waits for a rung to
fill: a trial is compared with those that have reached it so far (Li et al., MLSys 2020, and its stopping variant in
Golovin et al., KDD 2017). It is compared anew as others arrive, so that one which was let through when the rung was
empty does not run to its end on that account.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from tuning_operator.core.model.trial import StopDecision
from tuning_operator.core.stopping.series import completed_series, partial_series, running_series
from tuning_operator.core.stopping.wording import comparison, in_users_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.model.early_stopping import Hyperband
    from tuning_operator.core.model.trial import Trial


class BelowRung:
    """The rule, with what it has to know of all trials.

    Args:
        config: The resources.
        goal: Which direction of the objective is better.
        trials: All trials of the job.
    """

    def __init__(self, config: Hyperband, goal: Goal, trials: Sequence[Trial]) -> None:
        self._config = config
        self._goal = goal
        brackets: defaultdict[int, list[Trial]] = defaultdict(list)
        for trial in trials:
            brackets[config.bracket(trial.number)].append(trial)
        self._completed = {bracket: completed_series(goal, its) for bracket, its in brackets.items()}
        self._partial = {bracket: partial_series(goal, its) for bracket, its in brackets.items()}

    def __call__(self, trial: Trial) -> StopDecision | None:
        """Return why the trial is to be stopped, or None when it goes on."""
        config, goal = self._config, self._goal
        if trial.curve.span > config.max_resource:  # epochs that are missing have been trained, too
            last = trial.curve.measurements[-1]
            return StopDecision(
                reason="MaxResourceReached",
                message=f"epoch {last.epoch}: hyperband.maxResource ({config.max_resource} epochs) is used up",
                epoch=last.epoch,
                value=last.value,
            )
        curve = running_series(goal, trial.curve)
        done = len(curve)
        if done == 0:
            return None
        epoch = trial.curve.measurements[done - 1].epoch
        bracket = config.bracket(trial.number)
        rung = max((rung for rung in config.rungs[bracket:] if rung <= done), default=None)
        if rung is None:
            return None
        value = float(curve[rung - 1])
        values = sorted([value, *self._others_at(rung, trial, bracket)], reverse=True)
        if len(values) < config.reduction_factor:
            return None
        threshold = values[math.ceil(len(values) / config.reduction_factor) - 1]
        if value >= threshold:
            return None
        compared = comparison(goal, value, threshold)
        return StopDecision(
            reason="BelowRung",
            message=f"epoch {epoch}: {compared}, which the best 1/{config.reduction_factor} of {len(values)} trials had"
            f" at epoch {trial.curve.measurements[rung - 1].epoch} (bracket {bracket + 1} of {len(config.rungs) + 1})",
            epoch=epoch,
            value=in_users_terms(goal, value),
            threshold=in_users_terms(goal, threshold),
        )

    def _others_at(self, rung: int, trial: Trial, bracket: int) -> list[float]:
        """What those of the bracket that reached the rung had there: completed, stopped and running ones."""
        partial = (series for name, series in self._partial.get(bracket, {}).items() if name != trial.name)
        reached = (series for series in (*self._completed.get(bracket, ()), *partial) if len(series) >= rung)
        return [float(series[rung - 1]) for series in reached]
