"""Hyperband, asynchronous: a trial continues from rung to rung while it is among the best there.

Successive halving gives many trials a few epochs and few trials many. At each rung, `reduction_factor` times as far as
the one before, only the best 1/reduction_factor continue. How early to start is a guess, so Hyperband runs several
brackets: the first compares from `min_resource` epochs on, each further one a rung later, and all spend about the same
(Li et al., JMLR 18, 2018). No trial waits for a rung to fill: it is compared with those that have reached the rung so
far (Li et al., MLSys 2020, and the stopping variant of Golovin et al., KDD 2017). It is compared again as others
arrive, so a trial that passed an empty rung does not run to its end because of that.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.model.curves import as_epoch
from tuning_operator.core.model.trial import StopDecision
from tuning_operator.core.stopping.wording import comparison, in_users_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.model.early_stopping import Hyperband
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.stopping.grid import Grid


class BelowRung:
    """The rule, with what it needs to know of all trials.

    Args:
        config: The resources.
        goal: Which direction of the objective is better.
        grid: The trials' curves.
        trials: All trials of the job.
    """

    def __init__(self, config: Hyperband, goal: Goal, grid: Grid, trials: Sequence[Trial]) -> None:
        self._config = config
        self._goal = goal
        self._grid = grid
        self._names: defaultdict[int, list[str]] = defaultdict(list)
        for trial in trials:
            self._names[config.bracket(trial.number)].append(trial.name)

    def __call__(self, trial: Trial) -> StopDecision | None:
        """Return why the trial should stop, or None if it continues."""
        config, goal = self._config, self._goal
        last = trial.curve.latest
        if (
            last and self._grid.place(last.epoch) > config.max_resource
        ):  # epochs that are missing have been trained, too
            return StopDecision(
                reason="MaxResourceReached",
                message=f"epoch {last.epoch}: hyperband.maxResource ({config.max_resource} epochs) is used up",
                epoch=last.epoch,
                value=last.value,
            )
        track = self._grid.running(trial.curve)
        bracket = config.bracket(trial.number)
        rung = max((rung for rung in config.rungs[bracket:] if rung <= track.end), default=None)
        if rung is None:
            return None
        there = int(np.searchsorted(track.places, rung))  # the first value at the rung or, in its log, after it
        epoch, compared_at = as_epoch(float(track.epochs[-1])), as_epoch(float(track.epochs[there]))
        value = float(track.objectives[there])
        others = self._others_at(float(track.places[there]), there, trial, bracket)
        values = sorted([value, *others], reverse=True)
        if len(values) < config.reduction_factor:
            return None
        threshold = values[math.ceil(len(values) / config.reduction_factor) - 1]
        if value >= threshold:
            return None
        compared = comparison(goal, value, threshold)
        return StopDecision(
            reason="BelowRung",
            message=f"epoch {epoch}: {compared}, which the best 1/{config.reduction_factor} of {len(values)} trials had"
            f" at epoch {compared_at} (bracket {bracket + 1} of {len(config.rungs) + 1})",
            epoch=epoch,
            value=in_users_terms(goal, value),
            threshold=in_users_terms(goal, threshold),
        )

    def _others_at(self, place: float, likely: int, trial: Trial, bracket: int) -> list[float]:
        """What those of the bracket that reached the place had there: completed, stopped and running ones."""
        known = {**self._grid.completed, **self._grid.partial}
        tracks = (known[name] for name in self._names[bracket] if name in known and name != trial.name)
        return [track.objective_at(place, likely) for track in tracks if track.covers(place)]
