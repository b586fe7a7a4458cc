"""What a trial needs to become the best, and what it may still gain: the arithmetic of `Auto`.

The estimated gain is the larger of two: the most that any leader (a completed trial that ended among the best) gained
from the same place to its end, and what the trial itself would gain if each further doubling of its epochs moved it as
much as the last one did. Learning curves grow about with the logarithm of time, and an erratic trial may jump up. The
estimate is multiplied by a factor that grows as fewer other trials were better at that place, and as the leaders' order
there says less about the order in which they ended.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from tuning_operator.core.model.curves import Series


@dataclass(frozen=True, slots=True)
class Constants:
    """The constants of the rule, in one place so that a benchmark can vary each.

    Attributes:
        caution: Weight of few rivals: the gain is multiplied by 1 + caution / (how many others were better).
        early_caution: Factor of `caution` at checkpoints before `early`.
        early: Share of a trial's length.
        undecided: Weight of an undecided ranking: the gain is also multiplied by 1 + undecided * (1 -
            concordance)².
        presumed: Pairs of leaders in their final order that are added to the known ones.
        leaders: Fewest leaders; more if half of the completed trials are more.
        completed: Fewest completed trials.
        epochs: Fewest known values of the judged trial.
        first: First checkpoint, as a share of the trial's length.
        last: Last checkpoint, likewise.
        ratio: Each checkpoint's distance as a multiple of the one before.
    """

    caution: float = 1.25
    early_caution: float = 3.0
    early: float = 0.15
    undecided: float = 1.5
    presumed: int = 2
    leaders: int = 5
    completed: int = 1
    epochs: int = 2
    first: float = 0.08
    last: float = 0.8
    ratio: float = 1.25


CONSTANTS = Constants()
PAUSING = Constants(early_caution=1.0, undecided=0.0)
"""By these a trial is paused: with no more caution early or where ranks are undecided, since it can be taken back."""


class Order(NamedTuple):
    """How many pairs of leaders were already in the order in which they ended, and how many were not."""

    kept: int
    turned: int

    def concordance(self, presumed: int) -> float:
        """Return Kendall's rank correlation, with this many more agreeing pairs; 1 where nothing is known."""
        pairs = self.kept + self.turned + presumed
        return (self.kept - self.turned + presumed) / pairs if pairs else 1.0


class Leaders(NamedTuple):
    """What the completed trials that ended among the best show.

    Attributes:
        gain: The most that one of them gained; infinite when there is none.
        order: Their order then, and at their ends.
    """

    gain: float
    order: Order


@dataclass(frozen=True, slots=True)
class Field:
    """What is known of the other trials that got as far; higher is better.

    Attributes:
        best: Their best values up to there.
        completed_best: The same of the completed ones alone.
        completed_last: The objectives of the completed ones, in the same order.
        leaders: What the best of the completed ones show, the same for all trials that are judged there.
    """

    best: Series
    completed_best: Series
    completed_last: Series
    leaders: Leaders


@dataclass(frozen=True, slots=True)
class Shortfall:
    """By how much a trial falls short of the target.

    Attributes:
        value: The trial's best value so far; minus infinity when it has diverged.
        threshold: The lowest value from which the target can be reached.
        target: The best objective of the completed trials that got as far.
        completed: How many of these there are.
        rivals: How many other trials were better.
        order: The leaders' order, then and at their ends.
        gain: The estimate before it is multiplied.
        widening: The factor by which it is multiplied.
    """

    value: float
    threshold: float
    target: float
    completed: int
    rivals: int
    order: Order
    gain: float
    widening: float


def checkpoint(places: Series, length: float, constants: Constants = CONSTANTS) -> int:
    """Return how many values a trial had at its newest checkpoint, 0 if it has passed none.

    A checkpoint lies at the first value at or after its share of the trial's length. A trial that reports several
    values at once is judged at the last checkpoint that it passed.

    Args:
        places: How many epochs had been trained at each of the trial's values.
        length: How many epochs the trial has in all.
        constants: Other constants than the rule's, for benchmarks.
    """
    newest, share = 0, constants.first
    while share <= constants.last:
        count = max(constants.epochs, int(np.searchsorted(places, share * length)) + 1)
        if count > len(places):
            break
        newest, share = count, share * constants.ratio
    return newest


def judge_reach(
    curve: Series, places: Series, length: float, field: Field, constants: Constants = CONSTANTS
) -> Shortfall | None:
    """Compare what a trial needs with what it may still gain; None lets it continue.

    Args:
        curve: The trial's values; those after the checkpoint can only speak for it.
        places: How many epochs had been trained at each value up to the checkpoint.
        length: How many epochs the trial has in all.
        field: The other trials where this one was at the checkpoint.
        constants: Other constants than the rule's, for benchmarks.
    """
    if len(field.completed_last) < constants.completed:
        return None
    done, target = len(places), float(np.max(field.completed_last))
    diverged = not math.isfinite(curve[-1])
    value = -math.inf if diverged else float(np.max(curve))
    rivals = int(np.count_nonzero(field.best > (value if diverged else np.max(curve[:done]))))
    if rivals == 0 or not math.isfinite(target):
        return None
    (most, order), own = field.leaders, 0.0 if diverged else _own_gain(curve[:done], places, length)
    gain = max(most, own)
    widening = _widening(places[-1] / length, rivals, order, constants)
    threshold = target - widening * gain
    if value >= threshold:
        return None
    return Shortfall(value, threshold, target, len(field.completed_last), rivals, order, gain, widening)


def leaders(best: Series, last: Series, constants: Constants = CONSTANTS) -> Leaders:
    """Return what the leaders show.

    A trial that started so late that it ended among the last has gained much, but is no example of how to become the
    best.

    Args:
        best: The best values of the completed trials up to a place.
        last: Their objectives, in the same order.
        constants: Other constants than the rule's, for benchmarks.
    """
    finite = np.isfinite(best) & np.isfinite(last)
    best, last = best[finite], last[finite]
    chosen = np.argsort(-last, kind="stable")[: max(constants.leaders, math.ceil(len(last) / 2))]
    best, last = best[chosen], last[chosen]
    gain = max(0.0, float(np.max(last - best))) if len(last) else math.inf
    return Leaders(gain, _order_of(best, last))


def _order_of(then: Series, last: Series) -> Order:
    """Compare the leaders' order with that of their ends; a tie says nothing."""
    before, after = then[:, None] > then, last[:, None] > last
    return Order(int(np.count_nonzero(before & after)), int(np.count_nonzero(before & after.T)))


def _own_gain(curve: Series, places: Series, length: float) -> float:
    """Return what the trial gains if each further doubling of its epochs moves it as much as the last one."""
    finite = curve[np.isfinite(curve)]
    if not finite.size:
        return math.inf
    known = places[: finite.size]  # as if the training had begun later by what diverged
    recent = finite[known >= known[-1] / 2]
    return float(np.max(recent) - np.min(recent)) * max(0.0, math.log2(length / places[-1]))


def _widening(share: float, rivals: int, order: Order, constants: Constants) -> float:
    """Return the factor by which the estimated gain is multiplied."""
    caution = constants.caution * (constants.early_caution if share < constants.early else 1.0)
    undecided = constants.undecided * (1 - order.concordance(constants.presumed)) ** 2
    return (1 + caution / rivals) * (1 + undecided)
