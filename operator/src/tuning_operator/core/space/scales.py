"""Scales: how a numeric range is laid out for the search."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

AUTO_LOG_RATIO = 100
"""`Auto` means `Log` for a positive range whose ends are at least this factor apart, else `Linear`."""


NARROWEST = 1e-9
"""The narrowest continuous range, as a share of its larger bound: it holds some millions of floating-point numbers."""

_TINIEST = 1e-300
"""The narrowest one of all: still closer to zero these numbers get rare, too."""


class Scale(StrEnum):
    """How a numeric range is searched: steps of equal size on the scale matter equally."""

    AUTO = "Auto"
    LINEAR = "Linear"
    LOG = "Log"
    REVERSE_LOG = "ReverseLog"

    def resolve(self, minimum: float, maximum: float) -> Scale:
        """Return the scale that a range is searched on.

        `Auto` stands for `Log` or `Linear`. Where a scale cannot tell the ends of a very narrow range apart, it is
        `Linear`, to which every scale comes close there.
        """
        scale = self
        if self is Scale.AUTO:
            scale = Scale.LOG if minimum > 0 and maximum / minimum >= AUTO_LOG_RATIO else Scale.LINEAR
        low, high = scale.warp(np.array([minimum, maximum], dtype=np.float64))
        return scale if low < high else Scale.LINEAR

    def warp(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map values monotonically to where they are searched evenly."""
        if self is Scale.LOG:
            return np.log(values)
        if self is Scale.REVERSE_LOG:
            return -np.log1p(-values)
        return values

    def unwarp(self, warped: NDArray[np.float64]) -> NDArray[np.float64]:
        """Invert `warp`."""
        if self is Scale.LOG:
            return np.exp(warped)
        if self is Scale.REVERSE_LOG:
            return -np.expm1(-warped)
        return warped


def check_range(name: str, scale: Scale, minimum: float, maximum: float) -> None:
    """Raise ValueError, with the parameter's name, for a range on which the scale is not defined."""
    if not (minimum <= maximum and math.isfinite(maximum - minimum)):
        raise ValueError(f"parameter {name}: the range {minimum}..{maximum} is empty, too wide or not finite")
    if scale is Scale.LOG and minimum <= 0:
        raise ValueError(f"parameter {name}: scale Log needs a minimum above 0, not {minimum}")
    if scale is Scale.REVERSE_LOG and not (minimum >= 0 and maximum < 1):
        raise ValueError(f"parameter {name}: scale ReverseLog needs a range within [0, 1), not {minimum}..{maximum}")


def check_width(name: str, minimum: float, maximum: float) -> None:
    """Raise ValueError, with the parameter's name, for a continuous range that a search would soon have exhausted.

    The CRD has the same rule.
    """
    width = maximum - minimum
    if not (width >= NARROWEST * maximum and width >= -NARROWEST * minimum and width >= _TINIEST):
        raise ValueError(
            f"parameter {name}: the range {minimum}..{maximum} holds too few numbers: widen it to at least"
            f" {NARROWEST:g} of its larger bound"
        )
