"""Makes long curves short without losing what people look for in them.

Kept are the first and the last point, the best one, the one that a stop decision is about, and of each of a number of
stretches of the curve its lowest and highest value. No value is averaged or made up.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Curve(NamedTuple):
    """A trial's measurements: epochs, ascending and perhaps in fractions, and the values at them."""

    epochs: tuple[float, ...]
    values: tuple[float, ...]


def parse_curve(status: dict[str, Any]) -> Curve:
    """Return the curve in a trial's status; values that are not numbers count as NaN, like a diverged training."""
    curve = status.get("curve") or {}
    epochs, values = curve.get("epochs") or (), curve.get("values") or ()
    length = min(len(epochs), len(values))
    return Curve(tuple(map(number, epochs[:length])), tuple(map(number, values[:length])))


def number(text: object) -> float:
    """A number as the resources write it: in decimal, or NaN, +Inf, -Inf."""
    if isinstance(text, int | float | str):
        try:
            return float(text)
        except (ValueError, OverflowError):
            return math.nan
    return math.nan


def shorten(curve: Curve, points: int, *, maximize: bool, marked: float | None = None) -> Curve:
    """Keep at most `points` points of a curve.

    Args:
        curve: the whole one.
        points: how many may stay, at least 8; a shorter curve stays as it is.
        maximize: whether the best value is the largest.
        marked: an epoch that stays if the curve has it, such as the one at which the trial was stopped.
    """
    length = len(curve.epochs)
    if length <= points:
        return curve
    kept = {0, length - 1}
    if (best := best_index(curve.values, maximize=maximize)) is not None:
        kept.add(best)
    if marked is not None and marked in curve.epochs:
        kept.add(curve.epochs.index(marked))
    # Those above take at most four places; each stretch gives two points.
    stretches = (points - 4) // 2
    for stretch in range(stretches):
        start, end = length * stretch // stretches, length * (stretch + 1) // stretches
        kept.update(_extremes(curve.values, start, end))
    order = sorted(kept)
    return Curve(tuple(curve.epochs[i] for i in order), tuple(curve.values[i] for i in order))


def best_index(values: Sequence[float], *, maximize: bool) -> int | None:
    """Return the index at which the best value is first reached; None without a number."""
    known = [index for index, value in enumerate(values) if not math.isnan(value)]
    if not known:
        return None
    sign = 1.0 if maximize else -1.0
    return max(known, key=lambda index: (sign * values[index], -index))


def _extremes(values: Sequence[float], start: int, end: int) -> tuple[int, ...]:
    """Indices of the lowest and the highest value of a stretch; a value that is no number counts as an extreme."""
    part = range(start, end)
    lowest = min(part, key=lambda index: (not math.isnan(values[index]), values[index]))
    known = [index for index in part if not math.isnan(values[index])]
    return (lowest, max(known, key=values.__getitem__)) if known else (lowest,)


def points_each(trials: int) -> int:
    """How many points of each curve are shown, so that a page stays small whatever the number of trials."""
    return max(_FEWEST, min(_MOST, _ALL_POINTS // max(1, trials)))


_ALL_POINTS, _FEWEST, _MOST = 120_000, 16, 400


def as_json(value: float) -> float | str | None:
    """A number for the browser, six digits of it: JSON has neither NaN nor infinity, so these are texts."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() and abs(short) < _EXACT else short


_EXACT = 2**53
