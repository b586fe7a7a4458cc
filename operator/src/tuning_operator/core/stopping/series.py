"""Curves as arrays that rules can compare: higher is better, one value an epoch, diverged values worst.

Position 0 is the first epoch of a curve, whether the trainer counts from 0 or from 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from tuning_operator.core.model.curves import Curve
    from tuning_operator.core.model.trial import Trial

    Series = npt.NDArray[np.float64]

_PARTIAL = frozenset(
    {
        TrialPhase.RUNNING,
        TrialPhase.COLLECTING,
        TrialPhase.STOPPING,
        TrialPhase.EARLY_STOPPED,
        TrialPhase.STOPPED,
    }
)


def running_series(goal: Goal, curve: Curve) -> Series:
    """The curve up to its first gap: what a decision about a running trial may act on."""
    return _goal_oriented(goal, [value for _, value in curve.prefix()])


def completed_series(goal: Goal, trials: Iterable[Trial]) -> list[Series]:
    """The curves of the completed trials, epochs that are missing in the middle interpolated.

    Long histories arrive thinned, and what is lost for good must not shift the rest. A curve whose beginning
    is missing is left out.
    """
    return [
        _without_gaps(goal, trial.curve)
        for trial in trials
        if trial.phase is TrialPhase.COMPLETED and trial.curve.has_beginning
    ]


def partial_series(goal: Goal, trials: Iterable[Trial]) -> dict[str, Series]:
    """The curves of stopped and running trials by name, up to their first gap; failed trials tell nothing.

    With them a trial is compared with all that there are, and not with survivors alone.
    """
    return {trial.name: running_series(goal, trial.curve) for trial in trials if trial.phase in _PARTIAL}


def typical_length(series: Sequence[Series]) -> float:
    """The median number of epochs; 0 of none."""
    return float(np.median([len(each) for each in series])) if series else 0.0


def _goal_oriented(goal: Goal, values: Sequence[float]) -> Series:
    """The values so that higher is better; all that is not finite becomes minus infinity."""
    array = np.array(values, dtype=np.float64)
    return np.where(np.isfinite(array), array if goal is Goal.MAXIMIZE else -array, -np.inf)


def _without_gaps(goal: Goal, curve: Curve) -> Series:
    values = _goal_oriented(goal, [value for _, value in curve])
    if curve.span == len(curve):
        return values
    epochs = np.array([epoch for epoch, _ in curve], dtype=np.float64)
    return _interpolated(np.arange(curve.span) + epochs[0], epochs, values)


def _interpolated(at: Series, epochs: Series, values: Series) -> Series:
    """Linear between finite neighbours; beside a diverged one everything is diverged."""
    finite = np.isfinite(values)
    filled = np.interp(at, epochs, np.where(finite, values, 0.0))
    diverged = np.interp(at, epochs, np.where(finite, 0.0, 1.0)) > 0
    return np.where(diverged, -np.inf, filled)
