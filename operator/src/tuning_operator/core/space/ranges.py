"""Parameters with a range: real and whole numbers between two bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.space.placing import beside, position, positions, values_at
from tuning_operator.core.space.scales import Scale, check_range, check_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tuning_operator.core.space.placing import Value

_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Continuous:
    """A real number between two bounds, both included."""

    name: str
    minimum: float
    maximum: float
    scale: Scale = Scale.AUTO

    def __post_init__(self) -> None:
        """Refuse ranges that the scale is not defined on, or that hold too few numbers; a single one is allowed."""
        check_range(self.name, self.scale, self.minimum, self.maximum)
        if self.minimum < self.maximum:
            check_width(self.name, self.minimum, self.maximum)

    @property
    def levels(self) -> int | None:
        """Number of distinct values; None for infinitely many."""
        return 1 if self.minimum == self.maximum else None

    def parse(self, text: str) -> float:
        """Read a value; raises ValueError for a text that is none or lies outside the range."""
        value = float(text)
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{text} is outside {self.minimum}..{self.maximum}")
        return value

    def place(self, text: str) -> float:
        """Return where a number lies on the scale, also outside of [0, 1]; raises ValueError where it has no place."""
        return position(self, text)

    def to_unit(self, values: Sequence[Value]) -> NDArray[np.float64]:
        """Place values on [0, 1] of the scale."""
        return positions(self, np.asarray(values, dtype=np.float64))

    def snap(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Every position is a value's: only keep it in [0, 1]."""
        return np.zeros_like(unit) if self.levels == 1 else np.clip(unit, 0.0, 1.0)

    def spread(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map uniform random numbers of [0, 1) to positions."""
        return self.snap(uniform)

    def from_unit(self, unit: float) -> float:
        """Return the value at a position of [0, 1]."""
        value = float(values_at(self, np.array([unit]))[0])
        return min(max(value, self.minimum), self.maximum)

    def nth(self, _index: int) -> float:
        """Return the only value of a range that has one."""
        return self.minimum


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number between two bounds, both included, or every `step`-th of them from the minimum."""

    name: str
    minimum: int
    maximum: int
    scale: Scale = Scale.AUTO
    step: int = 1

    def __post_init__(self) -> None:
        """Refuse ranges that the scale is not defined on; lower the maximum to the last value that steps reach."""
        if self.scale is Scale.REVERSE_LOG:
            raise ValueError(f"parameter {self.name}: scale ReverseLog is for continuous parameters")
        if self.step < 1:
            raise ValueError(f"parameter {self.name}: step must be at least 1, not {self.step}")
        check_range(self.name, self.scale, self.minimum, self.maximum)
        object.__setattr__(self, "maximum", self.nth(self.levels - 1))

    @property
    def levels(self) -> int:
        """Number of distinct values."""
        return (self.maximum - self.minimum) // self.step + 1

    def parse(self, text: str) -> int:
        """Read a value; raises ValueError for a text that is none or is not in the range."""
        if not _INTEGER.fullmatch(text):
            raise ValueError(f"{text!r} is not a whole number")
        value = int(text)
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{text} is outside {self.minimum}..{self.maximum}")
        if (value - self.minimum) % self.step:
            raise ValueError(f"{text} is not a multiple of {self.step} above {self.minimum}")
        return value

    def place(self, text: str) -> float:
        """Return where a number lies on the scale, also outside of [0, 1]; raises ValueError where it has no place."""
        return position(self, text)

    def to_unit(self, values: Sequence[Value]) -> NDArray[np.float64]:
        """Place values on [0, 1] of the scale."""
        return positions(self, np.asarray(values, dtype=np.float64))

    def snap(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move positions to those of the nearest values."""
        if self.levels == 1:
            return np.zeros_like(unit)
        return positions(self, self._nearest(values_at(self, np.clip(unit, 0.0, 1.0))))

    def spread(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map uniform random numbers of [0, 1) to positions; on a linear scale all values are equal."""
        if self.levels == 1:
            return np.zeros_like(uniform)
        scale, half = self.scale.resolve(self.minimum, self.maximum), self.step / 2
        lowest = self.minimum - half if scale is Scale.LINEAR else max(self.minimum - half, self.minimum / 2)
        low, high = scale.warp(np.array([lowest, self.maximum + half]))
        return positions(self, self._nearest(scale.unwarp(low + uniform * (high - low))))

    def from_unit(self, unit: float) -> int:
        """Return the value at a position of [0, 1]; exact for ranges up to 2**46 or so."""
        place = round((float(values_at(self, np.array([unit]))[0]) - self.minimum) / self.step)
        return self.nth(min(max(place, 0), self.levels - 1))

    def near(self, unit: float) -> NDArray[np.float64]:
        """Return the positions of a value's two neighbours on each side."""
        index = (self.from_unit(unit) - self.minimum) // self.step
        return self.to_unit([self.nth(at) for at in beside(index) if 0 <= at < self.levels])

    def nth(self, index: int) -> int:
        """Return a value by its number, 0 to levels - 1."""
        return self.minimum + index * self.step

    def _nearest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        places = np.clip(np.rint((values - self.minimum) / self.step), 0, self.levels - 1)
        return self.minimum + places * self.step
