"""The kinds of parameters, and where their values lie on [0, 1] of their scale."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.space.scales import Scale, check_range, check_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


Value = float | int | str
"""A hyperparameter's value: continuous, integer or categorical."""

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
    """A whole number between two bounds, both included, or every `step`-th of them from the minimum on."""

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

    def nth(self, index: int) -> int:
        """Return a value by its number, 0 to levels - 1."""
        return self.minimum + index * self.step

    def _nearest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        places = np.clip(np.rint((values - self.minimum) / self.step), 0, self.levels - 1)
        return self.minimum + places * self.step


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


Parameter = Continuous | Integer | Categorical
"""What may vary."""


def _to_unit(parameter: Continuous | Integer, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if parameter.minimum == parameter.maximum:
        return np.zeros_like(values)
    unit: NDArray[np.float64] = np.clip(_on_scale(parameter, values), 0.0, 1.0)
    return unit


def _place(parameter: Continuous | Integer, text: str) -> float:
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


def _on_scale(parameter: Continuous | Integer, values: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = parameter.scale.resolve(parameter.minimum, parameter.maximum)
    low, high = scale.warp(np.array([parameter.minimum, parameter.maximum], dtype=np.float64))
    places: NDArray[np.float64] = (scale.warp(values) - low) / (high - low)
    return places


def _from_unit(parameter: Continuous | Integer, unit: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = parameter.scale.resolve(parameter.minimum, parameter.maximum)
    low, high = scale.warp(np.array([parameter.minimum, parameter.maximum], dtype=np.float64))
    return scale.unwarp(low + unit * (high - low))
