"""Turns objectives into what a Gaussian process models well: higher is better, about normal, without outliers.

Losses and accuracies come on different scales: some span decades, some crowd below a ceiling, some explode.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tuning_operator.core.model.curves import Goal

    Values = NDArray[np.float64]

_OUTLIER = 3
"""Values this many interquartile ranges worse than the median are all the same: bad. Where values have exploded the
distance from the median to the best one takes the place of that range."""

_EXPLODED = 1e4
"""A value this many times as far below the median as the best one is above it has exploded: no scale shows both."""

_TELLING = 0.1
"""Values whose logarithms lie closer than this have hardly a ratio."""

_EXPONENTS = np.linspace(-5.0, 5.0, 81)
_WIDEST = 50.0
"""What ratios are raised to, and the bound of their logarithms: no power overflows."""


def utilities(goal: Goal, objectives: Sequence[float | None]) -> Values:
    """Return objectives on a bent scale, with mean 0 and variance 1, or all zeros.

    A trial that failed or diverged counts as bad as the worst that has a value: the model must learn to avoid its
    neighbourhood, but a value far below the others would hide their differences.
    """
    oriented = np.array([-math.inf if value is None else goal.orient(value) for value in objectives])
    finite = np.isfinite(oriented)
    bent = np.zeros(len(oriented))
    if finite.any():
        bent[finite] = power(ratios(oriented[finite]))
        bent[~finite] = bent[finite].min()
    return standard(bent)


def ratios(values: Values) -> Values:
    """Bend values that are all on one side of zero by the power transform of Box and Cox (JRSS B 26, 1964).

    It makes as much of ratios as the values suggest: losses that span decades differ by their logarithm.
    """
    sign = 1.0 if values[0] > 0 else -1.0
    if not (sign * values > 0).all():
        return values
    logarithms = _without_outliers(sign * np.log(sign * values))  # oriented like the values
    if np.ptp(np.quantile(logarithms, [0.25, 0.75])) < _TELLING:
        return values  # nothing tells how the scale is bent: any power is about a straight line on so short a stretch
    return sign * _likeliest_power(sign * np.clip(logarithms - np.median(logarithms), -_WIDEST, _WIDEST))


def _likeliest_power(logarithms: Values) -> Values:
    """Return that power of values, given by their logarithms, which looks most like a normal distribution."""
    return _likeliest(_powers(logarithms, _EXPONENTS), (_EXPONENTS - 1) * logarithms.sum())


def power(values: Values) -> Values:
    """Bend the scale of finite values by the power transform of Yeo and Johnson (Biometrika 87, 2000)."""
    values = standard(_scaled(_without_explosions(_scaled(values))))
    values = standard(_without_outliers(values))
    if not values.any():
        return values
    logarithms = np.log1p(np.abs(values))
    exponents = 1 + _EXPONENTS
    bent = np.where(values >= 0, _powers(logarithms, exponents), -_powers(logarithms, 2 - exponents))
    return standard(_likeliest(bent, _EXPONENTS * (np.sign(values) * logarithms).sum()))


def _powers(logarithms: Values, exponents: Values) -> Values:
    """Return powers of values given by their logarithms, less 1 and divided by their exponents: a row for each."""
    rows = exponents[:, None]
    divisors = np.where(rows == 0, 1.0, rows)
    return np.where(rows == 0, logarithms, np.expm1(rows * logarithms) / divisors)


def _likeliest(bent: Values, slopes: Values) -> Values:
    """Return the row that looks most like a normal distribution, given the sums of the logarithms of their slopes.

    All are compared at once: SciPy's `boxcox` and `yeojohnson`, power by power, took a quarter of a suggestion's time.
    """
    likeliest: Values = bent[int(np.argmax(slopes - bent.shape[1] / 2 * np.log(bent.var(axis=1))))]
    return likeliest


def _scaled(values: Values) -> Values:
    """Divide by the largest magnitude: no difference and no square overflows."""
    largest = float(np.abs(values).max())
    return values / largest if largest else values


def _without_explosions(values: Values) -> Values:
    """Raise what lies out of all proportion below the better half, however much of the rest that is.

    To be done before a mean is subtracted, which leaves no digit of the differences beside such a value. Where nothing
    has exploded values stay as they are: lesser outliers are left to `_without_outliers`.
    """
    low, middle, best = np.quantile(values, [0.25, 0.5, 1.0])
    reach = best - middle or middle - low  # the better half may be all equal
    exploded = reach > 0 and values.min() < middle - _EXPLODED * reach
    return np.maximum(values, middle - _OUTLIER * reach) if exploded else values


def _without_outliers(values: Values) -> Values:
    """Raise what is far worse than the rest, unless most values are equal."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return np.maximum(values, middle - _OUTLIER * (high - low)) if high > low else values


def standard(values: Values) -> Values:
    """Return zero-mean, unit-variance values; zeros when all are equal."""
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 1e-12 else np.zeros_like(values)  # noqa: PLR2004 - rounding
