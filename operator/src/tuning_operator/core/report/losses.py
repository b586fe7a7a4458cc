"""Finds the epochs of a trial's curve that were lost on the way, to report them to users.

For a log, what it says decides: its epochs may come in strides, in fractions or from any beginning, and only gaps in
its own regular steps are losses. By the metrics contract epochs count one by one from 0 or 1, or in steps from that
step on; a gauge counts them one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuning_operator.core.model.curves import REGULAR, as_epoch
from tuning_operator.core.model.sources import Gauges, LogFile

if TYPE_CHECKING:
    from tuning_operator.core.model.curves import Curve


class Losses(NamedTuple):
    """How many epochs are not known, and the first of them."""

    epochs: int
    first: float


def losses(curve: Curve, source: Gauges | LogFile | None) -> Losses | None:
    """Return the epochs missing from a curve, or None; of a thinned curve nothing is known."""
    step = _step(curve, source)
    if curve.thinned or not len(curve) or step is None:
        return None
    begin = float(curve.epochs[0])
    before = 0 if isinstance(source, LogFile) else max(0, int(np.ceil(begin / step)) - 1)
    gaps = np.diff(curve.epochs)
    wide = np.flatnonzero(gaps > REGULAR * step)
    count = before + int(np.sum(np.rint(gaps[wide] / step) - 1))
    if not count:
        return None
    first = begin - before * step if before else float(curve.epochs[wide[0]]) + step
    return Losses(count, as_epoch(round(first, 6)))


def _step(curve: Curve, source: Gauges | LogFile | None) -> float | None:
    """Return the distance of the epochs that the training meant to report; None if it kept to none."""
    gaps = np.diff(curve.epochs)
    if isinstance(source, Gauges) or not gaps.size:
        return None if isinstance(source, LogFile) else 1.0
    if np.all(curve.epochs == np.floor(curve.epochs)):
        step = float(np.gcd.reduce(gaps.astype(np.int64)))
    else:
        step = float(np.min(gaps))
    if source is None:  # epochs that begin at 0 or 1 count one by one
        return step if curve.epochs[0] >= step else 1.0
    regular = np.count_nonzero(gaps <= REGULAR * step) * 2 >= gaps.size
    return step if regular else None
