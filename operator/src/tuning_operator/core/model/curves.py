"""Measurements of the objective and the curves they form.

A curve is a grow-only set: an epoch that has been observed keeps its value for good. NaN and the infinities are
values (the training diverged); an epoch that was not observed is absent, which is something else. Epochs are numbers:
1, 2, 3 for a training that reports each of them; 5, 10, 15 or 0.25, 0.5, 0.75 for one whose log says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

Series = npt.NDArray[np.float64]

_MERGED = "the curve that was added last, and what came of it"
_COMPARED = "the curve that was compared last, and what contradicts this one"
REGULAR = 1.5
"""A gap is as wide as the others up to this factor: logs round epochs, and where one is lost it is twice as wide."""


class Goal(StrEnum):
    """Which direction of the objective is better."""

    MAXIMIZE = "Maximize"
    MINIMIZE = "Minimize"

    def orient(self, value: float) -> float:
        """Map a value so that higher is better; everything that is not finite is the worst there is."""
        if not math.isfinite(value):
            return -math.inf
        return value if self is Goal.MAXIMIZE else -value

    def oriented(self, values: Series) -> Series:
        """The same for many values."""
        return np.where(np.isfinite(values), values if self is Goal.MAXIMIZE else -values, -np.inf)

    def is_better(self, value: float, than: float) -> bool:
        """Whether `value` is strictly better than `than`."""
        return self.orient(value) > self.orient(than)


class Measurement(NamedTuple):
    """The objective at the end of an epoch, whose number is an int where it is whole."""

    epoch: float
    value: float


def _nothing() -> Series:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Curve:
    """The measurements of one trial, ascending by epoch, one for each epoch.

    Kept as two arrays, never changed: the curves of a job have hundreds of thousands of measurements.

    Attributes:
        left_out: How many epochs are known to have been observed and are not kept, since the curve is thinned.
    """

    epochs: Series = field(default_factory=_nothing)
    values: Series = field(default_factory=_nothing)
    left_out: int = 0

    __hash__ = None  # type: ignore[assignment]  # equal by content, and large

    def __post_init__(self) -> None:
        """Lock the arrays: a curve is a value."""
        self.epochs.setflags(write=False)
        self.values.setflags(write=False)

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, float]]) -> Curve:
        """Build a curve from (epoch, value) pairs in any order; the first value of an epoch wins."""
        known = list(pairs)
        return cls.from_lists([epoch for epoch, _ in known], [value for _, value in known])

    @classmethod
    def from_lists(cls, epochs: Iterable[float] | Series, values: Iterable[float] | Series, left_out: int = 0) -> Curve:
        """Build a curve from epochs in any order, with their values; the first value of an epoch wins."""
        try:
            places, measured = np.asarray(epochs, dtype=np.float64), np.asarray(values, dtype=np.float64)
        except OverflowError as error:
            raise ValueError(f"a curve has a number out of range: {error}") from error
        if places.shape != measured.shape:
            raise ValueError(f"a curve has {len(places)} epochs and {len(measured)} values")
        if np.all(places[1:] > places[:-1]):
            return cls(places, measured, left_out)
        unique, first = np.unique(places, return_index=True)
        return cls(unique, measured[first], left_out)

    def __len__(self) -> int:
        return len(self.epochs)

    def __iter__(self) -> Iterator[Measurement]:
        return map(_measurement, self.epochs.tolist(), self.values.tolist())

    def __eq__(self, other: object) -> bool:
        """Whether the measurements are the same; NaN is the same as NaN."""
        if not isinstance(other, Curve):
            return NotImplemented
        return self is other or (
            self.left_out == other.left_out
            and np.array_equal(self.epochs, other.epochs)
            and np.array_equal(self.values, other.values, equal_nan=True)
        )

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        """The measurements, one by one."""
        return tuple(self)

    @property
    def count(self) -> int:
        """How many epochs were observed, those that are not kept included."""
        return len(self) + self.left_out

    @property
    def thinned(self) -> bool:
        """Whether measurements were left out of it."""
        return self.left_out > 0

    @cached_property
    def first(self) -> Measurement | None:
        """The measurement of the first epoch that is known."""
        return _measurement(float(self.epochs[0]), float(self.values[0])) if len(self) else None

    @cached_property
    def latest(self) -> Measurement | None:
        """The measurement of the last epoch."""
        return _measurement(float(self.epochs[-1]), float(self.values[-1])) if len(self) else None

    def best(self, goal: Goal) -> Measurement | None:
        """The measurement of the best epoch, the first of equals; the latest one where none is finite."""
        oriented = goal.oriented(self.values)
        if not np.any(np.isfinite(oriented)):
            return self.latest
        place = int(np.argmax(oriented))
        return _measurement(float(self.epochs[place]), float(self.values[place]))

    @cached_property
    def step(self) -> float | None:
        """The least distance of two epochs that follow each other; None where there are not two."""
        return float(np.min(np.diff(self.epochs))) if len(self) > 1 else None

    @cached_property
    def widest_step(self) -> float:
        """The greatest distance of two epochs that follow each other; 0 where there are not two."""
        return float(np.max(np.diff(self.epochs))) if len(self) > 1 else 0.0

    @cached_property
    def has_whole_epochs(self) -> bool:
        """Whether all epochs are whole numbers."""
        return bool(np.all(self.epochs == np.floor(self.epochs)))

    @cached_property
    def derived(self) -> dict[Hashable, Any]:
        """What has been computed from this curve: it never changes, and most trials of a job have ended."""
        return {}

    def head(self, count: int) -> Curve:
        """Return the first `count` measurements."""
        return Curve(self.epochs[:count], self.values[:count], self.left_out)

    def until(self, epoch: float) -> Curve:
        """The measurements up to an epoch, itself included."""
        return self.head(int(np.searchsorted(self.epochs, epoch, side="right")))

    def merge(self, later: Curve) -> Curve:
        """Add the epochs of `later` that are not known yet.

        An epoch that lies within a thinned curve counts as one of those that were left out of it.
        """
        added, merged = self.derived.get(_MERGED, (None, self))
        if added is later:  # each pass adds what is known of running trials, and of few of them is there news
            return merged
        if not len(later) or np.array_equal(later.epochs, self.epochs):
            return self
        is_new = ~self._find(later)[1]
        if not is_new.any():
            return self
        epochs = np.concatenate([self.epochs, later.epochs[is_new]])
        values = np.concatenate([self.values, later.values[is_new]])
        order = np.argsort(epochs, kind="stable")
        count = self.count + np.count_nonzero(is_new & (later.epochs > self.epochs[-1]) if self.thinned else is_new)
        merged = Curve(epochs[order], values[order], max(0, int(count) - len(epochs)))
        self.derived[_MERGED] = later, merged
        return merged

    def conflicts(self, later: Curve) -> tuple[Measurement, ...]:
        """The measurements of `later` that contradict this curve (NaN agrees with NaN)."""
        if not len(self):
            return ()
        compared, found = self.derived.get(_COMPARED, (None, ()))
        if compared is not later:
            places, is_known = self._find(later)
            known = self.values[places]
            differ = is_known & (known != later.values) & ~(np.isnan(known) & np.isnan(later.values))
            found = Curve(later.epochs[differ], later.values[differ]).measurements
            self.derived[_COMPARED] = later, found
        return found

    def _find(self, other: Curve) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Where the epochs of another curve are in this one, and whether they are."""
        if not len(self):
            return np.zeros(len(other), np.intp), np.zeros(len(other), np.bool_)
        places = np.minimum(np.searchsorted(self.epochs, other.epochs), len(self) - 1)
        return places, self.epochs[places] == other.epochs


def as_epoch(number: float) -> float:
    """The number of an epoch: an int where it is whole, so that nobody reads of epoch 3.0."""
    return int(number) if float(number).is_integer() else float(number)


def _measurement(epoch: float, value: float) -> Measurement:
    """Every NaN is the same object, so that a record of one compares equal when it is read twice."""
    return Measurement(as_epoch(epoch), math.nan if math.isnan(value) else value)
