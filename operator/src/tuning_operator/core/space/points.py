"""A space of parameters and the three forms of its points: texts, values and rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tuning_operator.core.space import Value
    from tuning_operator.core.space.parameters import Parameter


@dataclass(frozen=True)
class Space:
    """The parameters of a job, in the user's order."""

    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        """Refuse two parameters of one name."""
        names = [parameter.name for parameter in self.parameters]
        if not names or len(set(names)) != len(names):
            raise ValueError("a search space needs parameters, and their names must be distinct")

    @cached_property
    def size(self) -> int | None:
        """Number of distinct points; None when a parameter is continuous."""
        size = 1
        for parameter in self.parameters:
            if parameter.levels is None:
                return None
            size *= parameter.levels
        return size

    def parse(self, texts: Mapping[str, str]) -> dict[str, Value]:
        """Read a point from its texts; raises ValueError with the name of the parameter that is wrong."""
        missing = next((parameter.name for parameter in self.parameters if parameter.name not in texts), None)
        if missing:
            raise ValueError(f"parameter {missing}: missing")
        return self.parse_some(texts)

    def parse_some(self, texts: Mapping[str, str]) -> dict[str, Value]:
        """Read the values of some parameters; raises ValueError as `parse` does."""
        unknown = sorted(set(texts) - {parameter.name for parameter in self.parameters})
        if unknown:
            raise ValueError(f"parameter {unknown[0]}: not part of the search space")
        values: dict[str, Value] = {}
        for parameter in self.parameters:
            if parameter.name not in texts:
                continue
            try:
                values[parameter.name] = parameter.parse(texts[parameter.name])
            except ValueError as error:
                raise ValueError(f"parameter {parameter.name}: {error}") from None
        return values

    def place(self, texts: Mapping[str, str]) -> tuple[float, ...]:
        """Return where a point of another space lies on this one's scales, also outside of the ranges.

        Raises ValueError, with the name of the parameter, where a text has no place.
        """
        places = []
        for parameter in self.parameters:
            try:
                places.append(parameter.place(texts[parameter.name]))
            except ValueError as error:
                raise ValueError(f"parameter {parameter.name}: {error}") from None
        return tuple(places)

    def render(self, parameters: Mapping[str, Value]) -> dict[str, str]:
        """Write a point down: the shortest texts that `parse` to the same values."""
        return {parameter.name: _text(parameters[parameter.name]) for parameter in self.parameters}

    def encode(self, points: Sequence[Mapping[str, Value]]) -> NDArray[np.float64]:
        """Return the rows of points, shape (points, parameters)."""
        columns = [parameter.to_unit([point[parameter.name] for point in points]) for parameter in self.parameters]
        return np.stack(columns, axis=1)

    def decode(self, row: NDArray[np.float64]) -> dict[str, Value]:
        """Return the point nearest to a row."""
        return {
            parameter.name: parameter.from_unit(float(unit))
            for parameter, unit in zip(self.parameters, row, strict=True)
        }

    def snap(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move rows of any numbers to the nearest rows of points, shape (rows, parameters)."""
        columns = [parameter.snap(rows[:, place]) for place, parameter in enumerate(self.parameters)]
        return np.stack(columns, axis=1)

    def spread(self, uniform: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map uniform numbers of [0, 1) to rows of points that cover the scales evenly."""
        columns = [parameter.spread(uniform[:, place]) for place, parameter in enumerate(self.parameters)]
        return np.stack(columns, axis=1)

    def nth(self, index: int) -> dict[str, Value]:
        """Return a point of a finite space by its number, 0 to size - 1."""
        point: dict[str, Value] = {}
        for parameter in self.parameters:
            index, digit = divmod(index, parameter.levels or 1)
            point[parameter.name] = parameter.nth(digit)
        return point

    def key(self, point: Mapping[str, Value]) -> tuple[Value, ...]:
        """Return what tells a point from another."""
        return tuple(point[parameter.name] for parameter in self.parameters)


def _text(value: Value) -> str:
    if not isinstance(value, float):
        return str(value)
    text = repr(value)
    return text.removesuffix(".0")
