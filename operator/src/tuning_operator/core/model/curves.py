"""Measurements of the objective and the curves they form.

A curve is a grow-only set: an epoch that has been observed keeps its value for good. NaN and the infinities are
values (the training diverged); an epoch that was not observed is absent, which is something else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Goal(StrEnum):
    """Which direction of the objective is better."""

    MAXIMIZE = "Maximize"
    MINIMIZE = "Minimize"

    def orient(self, value: float) -> float:
        """Map a value so that higher is better; everything that is not finite is the worst there is."""
        if not math.isfinite(value):
            return -math.inf
        return value if self is Goal.MAXIMIZE else -value

    def is_better(self, value: float, than: float) -> bool:
        """Whether `value` is strictly better than `than`."""
        return self.orient(value) > self.orient(than)


class Measurement(NamedTuple):
    """The objective at the end of an epoch."""

    epoch: int
    value: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The measurements of one trial, ascending by epoch, one for each epoch."""

    measurements: tuple[Measurement, ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, float]]) -> Curve:
        """Build a curve from (epoch, value) pairs in any order; the first value of an epoch wins.

        Every NaN becomes the same object, which makes curves with equal measurements compare equal.
        """
        by_epoch: dict[int, float] = {}
        for epoch, value in pairs:
            by_epoch.setdefault(epoch, math.nan if math.isnan(value) else value)
        return cls(tuple(Measurement(epoch, by_epoch[epoch]) for epoch in sorted(by_epoch)))

    def __len__(self) -> int:
        return len(self.measurements)

    def __iter__(self) -> Iterator[Measurement]:
        return iter(self.measurements)

    @property
    def latest(self) -> Measurement | None:
        """The measurement of the last epoch: a trial's objective, once the trial has ended."""
        return self.measurements[-1] if self.measurements else None

    @property
    def span(self) -> int:
        """Number of epochs from the first to the last one, those that are missing in between included."""
        return self.measurements[-1].epoch - self.measurements[0].epoch + 1 if self.measurements else 0

    @property
    def has_beginning(self) -> bool:
        """Whether the first epoch is known: epochs count from 1, or from 0."""
        return bool(self.measurements) and self.measurements[0].epoch <= 1

    def prefix(self) -> Curve:
        """The measurements up to the first gap, which is what decisions may act on.

        A curve whose beginning is missing has an empty prefix.
        """
        if not self.has_beginning:
            return Curve()
        if self.span == len(self):
            return self
        first = self.measurements[0].epoch
        for index, measurement in enumerate(self.measurements):
            if measurement.epoch != first + index:
                return Curve(self.measurements[:index])
        return self

    def until(self, epoch: int) -> Curve:
        """The measurements up to an epoch, itself included."""
        return Curve(tuple(measurement for measurement in self.measurements if measurement.epoch <= epoch))

    def missing(self) -> tuple[int, ...]:
        """The epochs before the last one that were not observed; counted from 1, or from 0 where that was observed."""
        if not self.measurements:
            return ()
        known = {measurement.epoch for measurement in self.measurements}
        return tuple(epoch for epoch in range(min(1, *known), max(known)) if epoch not in known)

    def merge(self, later: Curve) -> Curve:
        """Add the epochs of `later` that are not known yet."""
        if not later.measurements or later.measurements == self.measurements:
            return self
        return Curve.of((*self.measurements, *later.measurements))

    def conflicts(self, later: Curve) -> tuple[Measurement, ...]:
        """The measurements of `later` that contradict this curve (NaN agrees with NaN)."""
        known = dict(self.measurements)
        return tuple(
            measurement
            for measurement in later.measurements
            if measurement.epoch in known and not _same(known[measurement.epoch], measurement.value)
        )


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))
