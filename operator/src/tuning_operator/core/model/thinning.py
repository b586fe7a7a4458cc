"""Bounds what the curves of a job cost: each pass reads all of them while every other job waits.

Eighty curves of 39,999 epochs took ten seconds a pass and half a gigabyte. A thinned curve keeps its first, last, best
and judged epochs, and the first one in each of evenly wide cells of the rest. Cells are powers of two wide and begin at
epoch 0, so each cell of the next width holds two: as a curve grows, what was left out stays left out.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.model.curves import Curve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial

MOST_POINTS = 4_000
"""Measurements that a curve keeps: finer than any plot, and about 80 kB in its TuningTrial."""
MOST_POINTS_OF_JOB = 400_000
"""Measurements that all curves of a job keep together, which a pass reads in a fraction of a second."""
_PINNED = 4  # the last and the best epoch, and those that a decision and one of a dry run were about


def points_per_trial(max_trials: int) -> int:
    """Return how many measurements a curve keeps at most in a job with this many trials."""
    return max(2 * _PINNED, min(MOST_POINTS, MOST_POINTS_OF_JOB // max_trials))


def with_thinned_curve(trial: Trial, job: Job) -> Trial:
    """Return the trial with its curve thinned."""
    most = points_per_trial(job.spec.most_trials)
    if len(trial.curve) <= most:
        return trial
    decisions = (trial.status.stop, trial.status.pause, trial.status.would_stop)
    judged = [decision.epoch for decision in decisions if decision and decision.epoch is not None]
    curve = thinned(trial.curve, most, job.spec.objective.goal, judged)
    return replace(trial, status=replace(trial.status, curve=curve))


def thinned(curve: Curve, most: int, goal: Goal, judged: Iterable[float] = ()) -> Curve:
    """Return a curve thinned to a number of measurements, spread over all of it.

    Args:
        curve: The curve; returned itself if it is short enough.
        most: How many measurements to keep at most.
        goal: Which measurement is the best.
        judged: Epochs that a decision was about.
    """
    if len(curve) <= most:
        return curve
    kept = _first_of_cells(curve, most - _PINNED)
    kept[[0, -1, int(np.argmax(goal.oriented(curve.values)))]] = True
    kept |= np.isin(curve.epochs, list(judged))
    return Curve(curve.epochs[kept], curve.values[kept], curve.count - int(np.count_nonzero(kept)))


def _first_of_cells(curve: Curve, most: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which measurements are the first of their cell; cells are as narrow as the number allows."""
    extent = float(curve.epochs[-1] - curve.epochs[0])
    width = 2.0 ** math.floor(math.log2(extent / most) - 1)
    while True:
        cells = np.floor(curve.epochs / width)
        first = np.concatenate([[True], cells[1:] != cells[:-1]])
        if np.count_nonzero(first) <= most:
            return first
        width *= 2
