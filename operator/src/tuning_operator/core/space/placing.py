"""Where the values of a numeric parameter lie on [0, 1] of its scale."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuning_operator.core.space.scales import Scale

Value = float | int | str
"""A hyperparameter's value: a number, or a category's text."""


class OnScale(Protocol):
    """A numeric parameter."""

    @property
    def minimum(self) -> float:
        """The smallest value."""

    @property
    def maximum(self) -> float:
        """The largest value."""

    @property
    def scale(self) -> Scale:
        """How the range is searched."""


def beside(index: int) -> tuple[int, int, int, int]:
    """Return the two indices on each side of one."""
    return index - 2, index - 1, index + 1, index + 2


def positions(parameter: OnScale, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place values on [0, 1] of the scale."""
    if parameter.minimum == parameter.maximum:
        return np.zeros_like(values)
    unit: NDArray[np.float64] = np.clip(_on_scale(parameter, values), 0.0, 1.0)
    return unit


def position(parameter: OnScale, text: str) -> float:
    """Return where a number lies on the scale, also outside of [0, 1]; raises ValueError where it has no place."""
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


def _on_scale(parameter: OnScale, values: NDArray[np.float64]) -> NDArray[np.float64]:
    scale = parameter.scale.resolve(parameter.minimum, parameter.maximum)
    low, high = scale.warp(np.array([parameter.minimum, parameter.maximum], dtype=np.float64))
    places: NDArray[np.float64] = (scale.warp(values) - low) / (high - low)
    return places


def values_at(parameter: OnScale, unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the numbers at positions on the scale."""
    scale = parameter.scale.resolve(parameter.minimum, parameter.maximum)
    low, high = scale.warp(np.array([parameter.minimum, parameter.maximum], dtype=np.float64))
    return scale.unwarp(low + unit * (high - low))
