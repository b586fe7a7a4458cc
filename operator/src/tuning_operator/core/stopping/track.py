"""A curve that rules can compare: higher is better, diverged is worst.

A place is an epoch, never an index, so a lost epoch is not confused with the next one. A rival is read where the judged
trial is, between two of its epochs if its log has others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tuning_operator.core.model.curves import Series

_MOST_PLACES = 64
"""A track remembers its best value at no more places than this; trials of one length have a dozen checkpoints."""


@dataclass(frozen=True)
class Track:
    """What may be compared of a trial.

    Attributes:
        epochs: As the training numbers them.
        places: The same as numbers of epochs trained: one more where the training counts from 0.
        values: Higher is better, minus infinity for diverged ones.
        takes_best: Whether a trial's objective is its best epoch rather than its last.
    """

    epochs: Series
    places: Series
    values: Series
    takes_best: bool = False

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def _count(self) -> int:
        return len(self.values)

    @cached_property
    def best(self) -> Series:
        """The best values so far."""
        return np.maximum.accumulate(self.values)

    @property
    def objectives(self) -> Series:
        """What its objective would be had it ended at each of its epochs."""
        return self.best if self.takes_best else self.values

    @cached_property
    def objective(self) -> float:
        """Its objective: the last of these."""
        return float(self.objectives[-1])

    @cached_property
    def averages(self) -> Series:
        """The running averages of its objectives over its own epochs."""
        return np.cumsum(self.objectives) / np.arange(1, len(self) + 1)

    @cached_property
    def widest_step(self) -> float:
        """The greatest distance between two neighbouring places; 1 if there are not two."""
        return float(np.max(np.diff(self.places))) if len(self) > 1 else 1.0

    @cached_property
    def end(self) -> float:
        """The last place; 0 if there is none."""
        return float(self.places[-1]) if len(self) else 0.0

    @cached_property
    def begin(self) -> float:
        """The first place; infinity of nothing."""
        return float(self.places[0]) if len(self) else math.inf

    @cached_property
    def _steps(self) -> tuple[float, float] | None:
        """The first place and the distance between all others, if it is the same."""
        if len(self) <= 1:
            return None
        step = self.places[1] - self.places[0]
        return (self.begin, float(step)) if np.all(np.diff(self.places) == step) else None

    def covers(self, place: float) -> bool:
        """Whether the value at a place is known; the methods below need such a place."""
        return self.begin <= place <= self.end

    def value_at(self, place: float, likely: int) -> float:
        """Return the value at a place: linear between two epochs, diverged beside a diverged one.

        Args:
            place: The place.
            likely: The index at which another trial has it; usually the same here.
        """
        if self._has(place, likely):
            return float(self.values[likely])
        after = int(np.searchsorted(self.places, place))
        if self.places[after] == place:
            return float(self.values[after])
        around = slice(after - 1, after + 1)
        return float(_interpolated(np.array([place]), self.places[around], self.values[around])[0])

    def best_at(self, place: float, likely: int) -> float:
        """Return the best value up to a place."""
        if self._has(place, likely):
            return float(self.best[likely])
        before = int(np.searchsorted(self.places, place, side="right"))
        return max(self.value_at(place, likely), float(self.best[before - 1]))

    def best_there(self, place: float, likely: int) -> float:
        """Return the same at a checkpoint that many trials share, which is remembered."""
        found = self._bests.get(place)
        if found is None:
            if len(self._bests) >= _MOST_PLACES:
                self._bests.clear()
            found = self._bests[place] = self.best_at(place, likely)
        return found

    @cached_property
    def _bests(self) -> dict[float, float]:
        return {}

    def objective_at(self, place: float, likely: int) -> float:
        """Return what its objective would be had it ended at a place."""
        return self.best_at(place, likely) if self.takes_best else self.value_at(place, likely)

    def average_over(self, other: Track) -> float:
        """Return its average objective over another trial's places, as far as it got; it must cover the last."""
        count, steps = other._count, other._steps
        if self._count >= count and ((steps is not None and self._steps == steps) or self._agrees(other.places)):
            return float(self.averages[count - 1])
        shared = other.places[other.places >= self.begin]
        return float(np.cumsum(_interpolated(shared, self.places, self.objectives))[-1] / len(shared))

    def _has(self, place: float, index: int) -> bool:
        return index < self._count and bool(self.places[index] == place)

    def _agrees(self, places: Series) -> bool:
        return np.array_equal(self.places[: len(places)], places)


def _interpolated(at: Series, places: Series, values: Series) -> Series:
    """Interpolate linearly between finite neighbours; beside a diverged value all are diverged."""
    finite = np.isfinite(values)
    filled = np.interp(at, places, np.where(finite, values, 0.0))
    diverged = np.interp(at, places, np.where(finite, 0.0, 1.0)) > 0
    return np.where(diverged, -np.inf, filled)
