"""The documented rule: stop what is worse than the median of the completed trials at the same epoch.

A completed trial's reference is its running average from the first epoch on; trials that ended before the
epoch are no reference for it. Ties go on. A trial that has diverged is worse than every finite reference,
whatever its best value was, since its objective would be its latest value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.stopping.config import Statistic
from tuning_operator.core.stopping.series import completed_series, running_series
from tuning_operator.core.stopping.wording import comparison, in_users_terms
from tuning_operator.core.trials import StopDecision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.curves import Goal
    from tuning_operator.core.stopping.config import MedianKnobs
    from tuning_operator.core.stopping.series import Series
    from tuning_operator.core.trials import Trial


def below_median(knobs: MedianKnobs, goal: Goal, trial: Trial, trials: Sequence[Trial]) -> StopDecision | None:
    """Return why the trial is to be stopped, or None when it goes on."""
    curve = running_series(goal, trial.curve)
    done = len(curve)
    completed = completed_series(goal, trials)
    pool = [series for series in completed if len(series) >= done]
    if len(pool) < knobs.min_completed_trials or done < grace(knobs, completed):
        return None
    threshold = quantile([float(np.mean(series[:done])) for series in pool], knobs.quantile)
    value = statistic(knobs.statistic, curve)
    if value >= threshold or math.isclose(value, threshold, rel_tol=1e-9):  # an average of equals rounds
        return None
    epoch = trial.curve.prefix().measurements[-1].epoch
    which = "the median" if knobs.quantile == 0.5 else f"the {knobs.quantile:.0%} quantile"  # noqa: PLR2004
    return StopDecision(
        reason="BelowMedian",
        message=f"epoch {epoch}: {comparison(goal, value, threshold)}, {which} of {len(pool)} completed trials",
        epoch=epoch,
        value=in_users_terms(goal, value),
        threshold=in_users_terms(goal, threshold),
    )


def grace(knobs: MedianKnobs, completed: Sequence[Series]) -> int:
    """The number of epochs before which a trial is not judged."""
    typical = float(np.median([len(series) for series in completed])) if completed else 0.0
    return max(knobs.min_epochs, math.ceil(knobs.min_progress * typical))


def statistic(which: Statistic, curve: Series) -> float:
    """The value of a running trial that is compared."""
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
