"""Turns objectives into what a Gaussian process models well: higher is better, no outliers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tuning_operator.core.curves import Goal


def utilities(goal: Goal, objectives: Sequence[float | None]) -> NDArray[np.float64]:
    """Return zero-mean, unit-variance utilities of objectives.

    A trial that failed or diverged counts as bad as the worst that has a value: the model must learn to avoid
    its neighbourhood, but a value far below the others would hide their differences.
    """
    oriented = np.array([-math.inf if value is None else goal.orient(value) for value in objectives])
    finite = np.isfinite(oriented)
    values = transform(oriented[finite]) if finite.any() else np.zeros(0)
    result = np.full(len(oriented), values.min(initial=0.0))
    result[finite] = values
    result -= result.mean()
    spread = result.std()
    return result / spread if spread > 0 else result


def transform(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standardise robustly."""
    values = values / max(np.abs(values).max(initial=0.0), np.finfo(np.float64).tiny)  # squares must not overflow
    low, high = np.quantile(values, [0.25, 0.75])
    floor = np.median(values) - 3 * max(high - low, 1e-300)
    values = np.maximum(values, floor)
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)
