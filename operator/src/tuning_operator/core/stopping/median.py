"""The documented rule: stop what is worse than the median of the completed trials at the same epoch.

A completed trial counts with the running average, from the first epoch on, of what its objective would have been.
Trials that ended before the epoch do not count. Ties continue. A diverged trial is worse than every finite value,
whatever its best was: it will hardly improve on that, and keeps it where its best epoch counts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.model.curves import as_epoch
from tuning_operator.core.model.early_stopping import Statistic
from tuning_operator.core.model.trial import StopDecision
from tuning_operator.core.stopping.chance import chance_in_words
from tuning_operator.core.stopping.wording import comparison, in_users_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.model.early_stopping import MedianKnobs
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.stopping.grid import Grid
    from tuning_operator.core.stopping.track import Track


class BelowMedian:
    """The rule, with what it needs to know of the completed trials.

    Args:
        knobs: The choices that the documented text leaves open.
        goal: Which direction of the objective is better.
        grid: The trials' curves.
    """

    def __init__(self, knobs: MedianKnobs, goal: Goal, grid: Grid) -> None:
        self._knobs = knobs
        self._goal = goal
        self._grid = grid
        self._length = grid.length

    def __call__(self, trial: Trial) -> StopDecision | None:
        """Return why the trial should stop, or None if it continues."""
        track = self._grid.running(trial.curve)
        if not len(track) or is_too_early(self._knobs, len(track), track.end, self._length):
            return None
        reached = [other for other in self._grid.completed.values() if other.covers(track.end)]
        if len(reached) < self._knobs.min_completed_trials:
            return None
        references = [other.average_over(track) for other in reached]
        threshold = quantile(references, self._knobs.quantile)
        value = statistic(self._knobs.statistic, float(track.values[-1]), float(track.best[-1]))
        if value >= threshold or math.isclose(value, threshold, rel_tol=1e-9):  # an average of equals rounds
            return None
        share = self._knobs.quantile
        which = "the median" if share == 0.5 else f"the {share:.0%} quantile"  # noqa: PLR2004
        epoch = as_epoch(float(track.epochs[-1]))
        compared = comparison(self._goal, value, threshold)
        return StopDecision(
            reason="BelowMedian",
            message=f"epoch {epoch}: {compared}, {which} of {len(references)} completed trials"
            f"{self._chance(value, track, reached)}",
            epoch=epoch,
            value=in_users_terms(self._goal, value),
            threshold=in_users_terms(self._goal, threshold),
        )

    def _chance(self, value: float, track: Track, reached: Sequence[Track]) -> str:
        which, place, last = self._knobs.statistic, track.end, len(track) - 1
        then = [statistic(which, other.value_at(place, last), other.best_at(place, last)) for other in reached]
        return chance_in_words(self._goal, value, np.array(then), np.array([other.objectives[-1] for other in reached]))


def is_too_early(knobs: MedianKnobs, measured: int, place: float, length: float) -> bool:
    """Whether it is too early to judge a trial.

    Args:
        knobs: The choices.
        measured: How many values of it are known.
        place: How many epochs it has been trained.
        length: How many epochs completed trials typically have.
    """
    return measured < knobs.min_epochs or place < knobs.min_progress * length


def statistic(which: Statistic, current: float, best: float) -> float:
    """Return which of a curve's values so far is compared."""
    return best if which is Statistic.BEST and math.isfinite(current) else current


def quantile(values: Sequence[float], share: float) -> float:
    """Return a linearly interpolated quantile in which minus infinity is an ordinary value (numpy makes it NaN)."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below, above = ordered[math.floor(position)], ordered[math.ceil(position)]
    if not math.isfinite(below):
        return below
    return below + (above - below) * (position - math.floor(position))
