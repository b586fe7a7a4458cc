"""Curves as arrays that rules can compare: higher is better, one value an epoch, diverged values worst.

Position 0 is the first epoch of a curve, whether the trainer counts from 0 or from 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.curves import Goal
from tuning_operator.core.trials import TrialPhase

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from tuning_operator.core.curves import Curve
    from tuning_operator.core.trials import Trial

    Series = npt.NDArray[np.float64]

COMPARED = frozenset(
    {
        TrialPhase.RUNNING,
        TrialPhase.COLLECTING,
        TrialPhase.STOPPING,
        TrialPhase.COMPLETED,
        TrialPhase.EARLY_STOPPED,
        TrialPhase.STOPPED,
    }
)
"""Trials that others are compared with, so that the field is not only made of survivors; failed ones tell nothing."""


def running_series(goal: Goal, curve: Curve) -> Series:
    """The curve up to its first gap: what a decision about a running trial may act on."""
    return goal_oriented(goal, np.array([value for _, value in curve.prefix()], dtype=np.float64))


def completed_series(goal: Goal, trials: Iterable[Trial]) -> list[Series]:
    """The curves of the completed trials, epochs that are missing in the middle interpolated.

    Long histories arrive thinned, and what is lost for good must not shift the rest. A curve whose beginning
    is missing is left out.
    """
    return [
        _without_gaps(goal, trial.curve)
        for trial in trials
        if trial.phase is TrialPhase.COMPLETED and trial.curve.prefix()
    ]


def goal_oriented(goal: Goal, values: Series) -> Series:
    """The values so that higher is better; all that is not finite becomes minus infinity."""
    return np.where(np.isfinite(values), values if goal is Goal.MAXIMIZE else -values, -np.inf)


def _without_gaps(goal: Goal, curve: Curve) -> Series:
    measured = np.array(curve.measurements, dtype=np.float64)
    epochs, values = measured[:, 0], goal_oriented(goal, measured[:, 1])
    length = int(epochs[-1] - epochs[0]) + 1
    if length == len(values):
        return values
    return _interpolated(np.arange(length) + epochs[0], epochs, values)


def _interpolated(at: Series, epochs: Series, values: Series) -> Series:
    """Linear between finite neighbours; beside a diverged one everything is diverged."""
    finite = np.isfinite(values)
    filled = np.interp(at, epochs, np.where(finite, values, 0.0))
    diverged = np.interp(at, epochs, np.where(finite, 0.0, 1.0)) > 0
    return np.where(diverged, -np.inf, filled)
