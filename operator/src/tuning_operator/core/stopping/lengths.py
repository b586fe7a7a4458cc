"""Finds how long each trial will train, so that short and long trials are compared at the same share.

No field names the hyperparameter that sets the number of epochs: it is the one that equals the epochs of every
completed trial. While all completed trials have the same length, that may be coincidence; a trial for which it matters
is then in doubt, and not judged. Where no hyperparameter explains the lengths, trials are compared at the same epoch,
and shares are those of the longest one.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.space import Value
    from tuning_operator.core.stopping.grid import Grid


class Lengths:
    """How many epochs the trials of a job train.

    Args:
        grid: Their curves.
        trials: All trials of the job.
    """

    def __init__(self, grid: Grid, trials: Iterable[Trial]) -> None:
        self._parameters = {trial.name: trial.parameters for trial in trials}
        self._ends = {name: track.end for name, track in grid.completed.items()}
        self._alike = all(self.longest - track.end < track.widest_step for track in grid.completed.values())
        self._names = self._explaining(grid)

    @property
    def parameter(self) -> str | None:
        """The hyperparameter by which trials are compared; None while all have the same length."""
        return None if self._alike else next(iter(self._names), None)

    @property
    def same_place(self) -> bool:
        """Whether trials are compared at the same epoch, whatever their lengths."""
        return not self._names

    @cached_property
    def longest(self) -> float:
        """How many epochs the longest completed trial has; 0 without one."""
        return max(self._ends.values(), default=0.0)

    def of(self, name: str) -> float | None:
        """Return how many epochs a trial trains in all; None where that is in doubt."""
        found = {self._set(name, key) for key in self._names}
        if self._alike or not found:
            found.add(self.longest)
        return found.pop() if len(found) == 1 else None

    def _explaining(self, grid: Grid) -> list[str]:
        """Return the hyperparameters that equal the epochs of all completed trials and contradict no other."""
        if not self._ends:
            return []
        first = self._parameters[next(iter(self._ends))]
        return sorted(key for key in first if self._explains(key, grid))

    def _explains(self, key: str, grid: Grid) -> bool:
        """Whether it fits; a log with wide steps may end up to a step before the training does."""
        return all(
            (length := self._set(name, key)) - track.widest_step < track.end <= length
            for name, track in grid.completed.items()
        ) and all(track.end <= self._set(name, key) for name, track in grid.partial.items())

    def _set(self, name: str, key: str) -> float:
        return _number(self._parameters[name].get(key))


def _number(value: Value | None) -> float:
    """Return a parameter's value as a number; NaN, which equals nothing, if it is none."""
    try:
        return float(value) if value is not None else math.nan
    except ValueError:
        return math.nan
