"""The kinds of parameters, and where their values lie on [0, 1] of their scale."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.space.scales import NARROWEST, Scale, check_range, check_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


Value = float | int | str
"""A hyperparameter's value: a number, or a category's text."""

MOST_STEPS = 1000
"""Of a continuous range with a step; the CRD has the same rule."""
_SHOWN = 10
"""Number of values that a message names."""

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
        return _place(self, text)

    def to_unit(self, values: Sequence[Value]) -> NDArray[np.float64]:
        """Place values on [0, 1] of the scale."""
        return _to_unit(self, np.asarray(values, dtype=np.float64))

    def snap(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Every position is a value's: only keep it in [0, 1]."""
        return np.zeros_like(unit) if self.levels == 1 else np.clip(unit, 0.0, 1.0)

    def spread(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map uniform random numbers of [0, 1) to positions."""
        return self.snap(uniform)

    def from_unit(self, unit: float) -> float:
        """Return the value at a position of [0, 1]."""
        value = float(_from_unit(self, np.array([unit]))[0])
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
        return _place(self, text)

    def to_unit(self, values: Sequence[Value]) -> NDArray[np.float64]:
        """Place values on [0, 1] of the scale."""
        return _to_unit(self, np.asarray(values, dtype=np.float64))

    def snap(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move positions to those of the nearest values."""
        if self.levels == 1:
            return np.zeros_like(unit)
        return _to_unit(self, self._nearest(_from_unit(self, np.clip(unit, 0.0, 1.0))))

    def spread(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map uniform random numbers of [0, 1) to positions; on a linear scale all values are equal."""
        if self.levels == 1:
            return np.zeros_like(uniform)
        scale, half = self.scale.resolve(self.minimum, self.maximum), self.step / 2
        lowest = self.minimum - half if scale is Scale.LINEAR else max(self.minimum - half, self.minimum / 2)
        low, high = scale.warp(np.array([lowest, self.maximum + half]))
        return _to_unit(self, self._nearest(scale.unwarp(low + uniform * (high - low))))

    def from_unit(self, unit: float) -> int:
        """Return the value at a position of [0, 1]; exact for ranges up to 2**46 or so."""
        place = round((float(_from_unit(self, np.array([unit]))[0]) - self.minimum) / self.step)
        return self.nth(min(max(place, 0), self.levels - 1))

    def near(self, unit: float) -> NDArray[np.float64]:
        """Return the positions of a value's two neighbours on each side."""
        index = (self.from_unit(unit) - self.minimum) // self.step
        return self.to_unit([self.nth(at) for at in _beside(index) if 0 <= at < self.levels])

    def nth(self, index: int) -> int:
        """Return a value by its number, 0 to levels - 1."""
        return self.minimum + index * self.step

    def _nearest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        places = np.clip(np.rint((values - self.minimum) / self.step), 0, self.levels - 1)
        return self.minimum + places * self.step


@dataclass(frozen=True)
class Discrete:
    """One of several numbers, in their order."""

    name: str
    values: tuple[float, ...]
    scale: Scale = Scale.AUTO

    def __post_init__(self) -> None:
        """Refuse numbers that are not in order, or that the scale is not defined on."""
        if not self.values or any(one >= other for one, other in pairwise(self.values)):
            raise ValueError(f"parameter {self.name}: the values must be in ascending order, and at least one")
        check_range(self.name, self.scale, self.minimum, self.maximum)

    @classmethod
    def stepped(cls, name: str, minimum: float, maximum: float, step: float) -> Discrete:
        """Return every number of a range that steps reach, as decimals: 0.1, 0.2, 0.3 and not 0.30000000000000004."""
        low, high, width = (Decimal(repr(float(number))) for number in (minimum, maximum, step))
        if not width > 0 or (high - low) / width >= MOST_STEPS + 1:
            raise ValueError(f"parameter {name}: step {step:g} must be above 0 and make at most {MOST_STEPS} steps")
        count = int((high - low) / width) + 1
        return cls(name, tuple(float(low + index * width) for index in range(count)), Scale.LINEAR)

    @property
    def levels(self) -> int:
        """Number of distinct values."""
        return len(self.values)

    @property
    def minimum(self) -> float:
        """The smallest value."""
        return self.values[0]

    @property
    def maximum(self) -> float:
        """The largest value."""
        return self.values[-1]

    @cached_property
    def _units(self) -> NDArray[np.float64]:
        """The positions of the values; evenly spaced where the scale cannot tell some of them apart."""
        units = _to_unit(self, np.asarray(self.values, dtype=np.float64))
        apart = self.levels == 1 or np.min(np.diff(units)) >= NARROWEST
        return units if apart else np.linspace(0.0, 1.0, self.levels)

    def parse(self, text: str) -> float:
        """Read a value; raises ValueError for a text that is none of the values."""
        number = float(text)
        value = next((value for value in self.values if value == number), None)
        if value is None:
            some = ", ".join(f"{value:g}" for value in self.values[:_SHOWN]) + (" …" if self.levels > _SHOWN else "")
            raise ValueError(f"{text} is not one of {some}")
        return value

    def place(self, text: str) -> float:
        """Return where a number lies on the scale, also outside of [0, 1]; raises ValueError where it has no place."""
        return _place(self, text)

    def to_unit(self, values: Sequence[Value]) -> NDArray[np.float64]:
        """Place values on [0, 1] of the scale."""
        return self._units[np.searchsorted(self.values, np.asarray(values, dtype=np.float64))]

    def snap(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move positions to those of the nearest values."""
        return self._units[self._nearest(unit)]

    def spread(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map uniform random numbers of [0, 1) to positions; all values are equal."""
        return self._units[np.clip(uniform * self.levels, 0, self.levels - 1).astype(np.intp)]

    def from_unit(self, unit: float) -> float:
        """Return the value nearest to a position of [0, 1]."""
        return self.values[int(self._nearest(np.array([unit]))[0])]

    def near(self, unit: float) -> NDArray[np.float64]:
        """Return the positions of a value's two neighbours on each side."""
        index = int(self._nearest(np.array([unit]))[0])
        return self._units[[at for at in _beside(index) if 0 <= at < self.levels]]

    def nth(self, index: int) -> float:
        """Return a value by its place in the list."""
        return self.values[index]

    def _nearest(self, unit: NDArray[np.float64]) -> NDArray[np.intp]:
        return np.searchsorted((self._units[:-1] + self._units[1:]) / 2, unit)


@dataclass(frozen=True, slots=True)
class Categorical:
    """One of several texts, in no order."""

    name: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse an empty or repeating list."""
        if not self.values or len(set(self.values)) != len(self.values):
            raise ValueError(f"parameter {self.name}: the values must be distinct, and there must be at least one")

    @property
    def levels(self) -> int:
        """Number of distinct values."""
        return len(self.values)

    def parse(self, text: str) -> str:
        """Read a value; raises ValueError for a text that is not among the values."""
        if text not in self.values:
            raise ValueError(f"{text!r} is not one of {', '.join(self.values)}")
        return text

    def place(self, text: str) -> float:
        """Return the number of a value; raises ValueError for a text that is not among the values."""
        return float(self.values.index(self.parse(text)))

    def to_unit(self, values: Sequence[Value]) -> NDArray[np.float64]:
        """Number the values by their place in the list."""
        places = {value: place for place, value in enumerate(self.values)}
        return np.array([places[str(value)] for value in values], dtype=np.float64)

    def snap(self, unit: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move to the nearest place in the list."""
        return np.clip(np.rint(unit), 0, self.levels - 1)

    def spread(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map uniform random numbers of [0, 1) to places in the list."""
        return np.clip(np.floor(uniform * self.levels), 0, self.levels - 1)

    def from_unit(self, unit: float) -> str:
        """Return the value at a place in the list."""
        return self.values[min(max(round(unit), 0), self.levels - 1)]

    def nth(self, index: int) -> str:
        """Return a value by its place in the list."""
        return self.values[index]


Parameter = Continuous | Integer | Discrete | Categorical
"""What may vary."""
Numeric = Continuous | Integer | Discrete
"""What lies on a scale."""


def _beside(index: int) -> tuple[int, int, int, int]:
    return index - 2, index - 1, index + 1, index + 2


def _to_unit(parameter: Numeric, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if parameter.minimum == parameter.maximum:
        return np.zeros_like(values)
    unit: NDArray[np.float64] = np.clip(_on_scale(parameter, values), 0.0, 1.0)
    return unit


def _place(parameter: Numeric, text: str) -> float:
    value = float(text)
    if parameter.minimum == parameter.maximum:
        if value != parameter.minimum:
            raise ValueError(f"{text} is not {parameter.minimum}, the only value")
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        place = float(_on_scale(parameter, np.array([value]))[0])
    if not math.isfinite(place):
        raise ValueError(f"{text} has no place on the scale of {parameter.minimum}..{parameter.maximum}")
    return place


def _on_scale(parameter: Numeric, values: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = parameter.scale.resolve(parameter.minimum, parameter.maximum)
    low, high = scale.warp(np.array([parameter.minimum, parameter.maximum], dtype=np.float64))
    places: NDArray[np.float64] = (scale.warp(values) - low) / (high - low)
    return places


def _from_unit(parameter: Continuous | Integer, unit: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = parameter.scale.resolve(parameter.minimum, parameter.maximum)
    low, high = scale.warp(np.array([parameter.minimum, parameter.maximum], dtype=np.float64))
    return scale.unwarp(low + unit * (high - low))
