"""The documented rule: stop what is worse than the median of the completed trials at the same epoch.

A completed trial's reference is its running average from the first epoch on; trials that ended before the
epoch are no reference for it. Ties go on. A trial that has diverged is worse than every finite reference,
whatever its best value was, since its objective would be its latest value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.model.early_stopping import Statistic
from tuning_operator.core.model.trial import StopDecision
from tuning_operator.core.stopping.chance import chance_in_words
from tuning_operator.core.stopping.series import completed_series, running_series, typical_length
from tuning_operator.core.stopping.wording import comparison, in_users_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.model.early_stopping import MedianKnobs
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.stopping.series import Series


class BelowMedian:
    """The rule, with what it has to know of the completed trials.

    Args:
        knobs: The choices that the documented text leaves open.
        goal: Which direction of the objective is better.
        trials: All trials of the job.
    """

    def __init__(self, knobs: MedianKnobs, goal: Goal, trials: Sequence[Trial]) -> None:
        self._knobs = knobs
        self._goal = goal
        self._completed = completed_series(goal, trials)
        self._averages = [np.cumsum(series) / np.arange(1, len(series) + 1) for series in self._completed]
        self._grace = grace(knobs, typical_length(self._completed))

    def __call__(self, trial: Trial) -> StopDecision | None:
        """Return why the trial is to be stopped, or None when it goes on."""
        curve = running_series(self._goal, trial.curve)
        done = len(curve)
        references = [float(averages[done - 1]) for averages in self._averages if len(averages) >= done]
        if done < self._grace or len(references) < self._knobs.min_completed_trials:
            return None
        threshold = quantile(references, self._knobs.quantile)
        value = statistic(self._knobs.statistic, curve)
        if value >= threshold or math.isclose(value, threshold, rel_tol=1e-9):  # an average of equals rounds
            return None
        share = self._knobs.quantile
        which = "the median" if share == 0.5 else f"the {share:.0%} quantile"  # noqa: PLR2004
        epoch = trial.curve.measurements[done - 1].epoch
        compared = comparison(self._goal, value, threshold)
        return StopDecision(
            reason="BelowMedian",
            message=f"epoch {epoch}: {compared}, {which} of {len(references)} completed trials"
            f"{self._chance(value, done)}",
            epoch=epoch,
            value=in_users_terms(self._goal, value),
            threshold=in_users_terms(self._goal, threshold),
        )

    def _chance(self, value: float, done: int) -> str:
        ended = [series for series in self._completed if len(series) >= done]
        then = np.array([statistic(self._knobs.statistic, series[:done]) for series in ended])
        return chance_in_words(self._goal, value, then, np.array([series[-1] for series in ended]))


def grace(knobs: MedianKnobs, length: float) -> int:
    """The number of epochs before which a trial is not judged; `length` is that of completed trials, typically."""
    return max(knobs.min_epochs, math.ceil(knobs.min_progress * length))


def statistic(which: Statistic, curve: Series) -> float:
    """The value of a curve so far that is compared."""
    current = float(curve[-1])
    return float(np.max(curve)) if which is Statistic.BEST and math.isfinite(current) else current


def quantile(values: Sequence[float], share: float) -> float:
    """The linearly interpolated quantile, with minus infinity as a value like others (numpy makes it NaN)."""
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below, above = ordered[math.floor(position)], ordered[math.ceil(position)]
    if not math.isfinite(below):
        return below
    return below + (above - below) * (position - math.floor(position))
