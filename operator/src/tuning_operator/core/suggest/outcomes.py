"""Turns objectives into what a Gaussian process models well: higher is better, about normal, without outliers.

Losses and accuracies come on scales of their own: some span decades, some crowd below a ceiling, some explode. There
are two views of them. One keeps distances but bends the scale so that they are about normal, which suits smooth
objectives. The other goes halfway to the order alone, and so tells good trials apart that a wide scale would lump
together.
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


def views(goal: Goal, objectives: Sequence[float | None]) -> tuple[Values, Values]:
    """Return two views of objectives: half ranks, and only bent. Both have mean 0 and variance 1, or are all zeros.

    A trial that failed or diverged counts as bad as the worst that has a value, with the lowest rank: the model
    must learn to avoid its neighbourhood, but a value far below the others would hide their differences.
    """
    oriented = np.array([-math.inf if value is None else goal.orient(value) for value in objectives])
    finite = np.isfinite(oriented)
    bent = np.zeros(len(oriented))
    if finite.any():
        bent[finite] = power(oriented[finite])
        bent[~finite] = bent[finite].min()
    bent = standard(bent)
    return standard(bent + ranks(oriented)), bent


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
