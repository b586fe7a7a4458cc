"""Parameters with a list of values: numbers in their order, and texts without one."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.space.placing import beside, position, positions
from tuning_operator.core.space.scales import NARROWEST, Scale, check_range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tuning_operator.core.space.placing import Value

MOST_STEPS = 1000
"""Of a continuous range with a step; the CRD has the same rule."""
_SHOWN = 10
"""Number of values that a message names."""


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
        units = positions(self, np.asarray(self.values, dtype=np.float64))
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
        return position(self, text)

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
        return self._units[[at for at in beside(index) if 0 <= at < self.levels]]

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
