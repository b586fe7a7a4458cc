"""Turns objectives into what a Gaussian process models well: higher is better, about normal, without outliers.

Losses and accuracies come on scales of their own: some span decades, some crowd below a ceiling, some explode. The
utility is the mean of two views. The power view keeps distances but bends the scale so that they are about normal;
the rank view keeps the order only, and so tells good trials apart that a wide scale would lump together.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm, rankdata, yeojohnson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tuning_operator.core.curves import Goal

    Values = NDArray[np.float64]

_OUTLIER = 3
"""Utilities this many interquartile ranges below the median are all the same: bad."""


def utilities(goal: Goal, objectives: Sequence[float | None]) -> Values:
    """Return zero-mean, unit-variance utilities of objectives; zeros when all are equal.

    A trial that failed or diverged counts as bad as the worst that has a value, with the lowest rank: the model
    must learn to avoid its neighbourhood, but a value far below the others would hide their differences.
    """
    oriented = np.array([-math.inf if value is None else goal.orient(value) for value in objectives])
    finite = np.isfinite(oriented)
    bent = np.zeros(len(oriented))
    if finite.any():
        bent[finite] = power(oriented[finite])
        bent[~finite] = bent[finite].min()
    return standard(standard(bent) + ranks(oriented))


def power(values: Values) -> Values:
    """Bend the scale of finite values by the power transform of Yeo and Johnson (Biometrika 87, 2000)."""
    values = standard(values / max(float(np.abs(values).max()), np.finfo(np.float64).tiny))  # no square overflows
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    if high > low:
        values = standard(np.maximum(values, middle - _OUTLIER * (high - low)))
    return standard(yeojohnson(values)[0]) if values.any() else values


def ranks(values: Values) -> Values:
    """Return the normal scores of the values' ranks."""
    return standard(norm.ppf((rankdata(values) - 0.5) / len(values)))


def standard(values: Values) -> Values:
    """Return zero-mean, unit-variance values; zeros when all are equal."""
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 1e-12 else np.zeros_like(values)  # noqa: PLR2004 - rounding
