"""The rule for users who do not want to choose one: stop a trial that can no longer reach the best.

A trial is stopped when even a generous guess of what it can still gain leaves it short of the best completed
trial. Two guesses are made and the larger counts: the most that any of those completed trials that ended well gained
from the same epoch to its end, and what the trial itself would gain if every further doubling of its epochs moved it
as much as the last one did (learning curves run like the logarithm of time; what jumps about may jump up). The guess
is widened, and the less so the more others were better at the same epoch: to two and a half times with one, to one
and a half times with three. Completed, stopped and running trials are all rivals, so that the field is not only made
of survivors.

A trial is compared with the others at a few checkpoints, each a quarter further than the one before, since each look is
another chance to be wrong. The first one is at three twentieths of the typical length, and the last one at four
fifths: behind it noise is as large as what is left to save. Between two checkpoints only what other trials have come
to since can change the decision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.model.curves import as_epoch
from tuning_operator.core.model.trial import StopDecision
from tuning_operator.core.stopping.chance import chance_in_words
from tuning_operator.core.stopping.series import Grid
from tuning_operator.core.stopping.wording import comparison, in_users_terms, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.stopping.series import Series, Track


@dataclass(frozen=True, slots=True)
class Constants:
    """The constants of the rule, in one place so that the benchmark can show what each of them does.

    Attributes:
        caution: The larger guess of what can still be gained is widened by so many times itself, divided by how many
            others were better at the same epoch.
        leaders: Of so many completed trials, those that ended best, the gains are looked at; of half of them if that
            is more.
        completed: So many trials must have completed.
        epochs: A trial is not judged before so many of its values are known,
        first: nor before this share of the typical length,
        last: nor after this one.
        ratio: Between a checkpoint and the one before.
    """

    caution: float = 1.5
    leaders: int = 5
    completed: int = 2
    epochs: int = 2
    first: float = 0.15
    last: float = 0.8
    ratio: float = 1.25


CONSTANTS = Constants()


@dataclass(frozen=True, slots=True)
class Field:
    """What is known of the other trials that reached an epoch; higher is better.

    Attributes:
        best: Their best values up to that epoch.
        completed_best: The same of the completed ones alone.
        completed_last: The last values of the completed ones, in the same order.
    """

    best: Series
    completed_best: Series
    completed_last: Series


@dataclass(frozen=True, slots=True)
class Shortfall:
    """By how much a trial cannot be expected to reach the target.

    Attributes:
        value: The trial's best value so far; minus infinity when it has diverged.
        threshold: From where the target could be reached.
        target: The best last value of the completed trials that got as far,
        completed: How many of these there are.
        rivals: How many others were better at the same epoch.
    """

    value: float
    threshold: float
    target: float
    completed: int
    rivals: int


class OutOfReach:
    """The rule, with what it has to know of all trials.

    Args:
        goal: Which direction of the objective is better.
        trials: All trials of the job.
    """

    def __init__(self, goal: Goal, trials: Sequence[Trial]) -> None:
        self._goal = goal
        self._grid = Grid(goal, trials)
        self._length = self._grid.length

    def __call__(self, trial: Trial) -> StopDecision | None:
        """Return why the trial is to be stopped, or None when it goes on."""
        track = self._grid.running(trial.curve)
        done = checkpoint(track.places, self._length)
        if done == 0:
            return None
        field = self._field(trial, track, done - 1)
        shortfall = judge_reach(track.values, track.places[:done], self._length, field)
        if shortfall is None:
            return None
        chance = chance_in_words(self._goal, shortfall.value, field.completed_best, field.completed_last)
        epoch, compared = (as_epoch(float(track.epochs[count - 1])) for count in (len(track), done))
        target = number(in_users_terms(self._goal, shortfall.target))
        better = "1 trial was" if shortfall.rivals == 1 else f"{shortfall.rivals} trials were"
        return StopDecision(
            reason="OutOfReach",
            message=f"epoch {epoch}: {comparison(self._goal, shortfall.value, shortfall.threshold)}, from where"
            f" {target}, the best of {shortfall.completed} completed trials, could still be reached;"
            f" {better} better at epoch {compared}{chance}",
            epoch=epoch,
            value=in_users_terms(self._goal, shortfall.value),
            threshold=in_users_terms(self._goal, shortfall.threshold),
        )

    def _field(self, trial: Trial, track: Track, index: int) -> Field:
        """The other trials that reached the place of one of its values."""
        place = float(track.places[index])
        ended = [other for other in self._grid.completed.values() if other.covers(place)]
        partial = [
            other.best_at(place, index)
            for name, other in self._grid.partial.items()
            if name != trial.name and other.covers(place)
        ]
        completed_best = np.array([other.best_at(place, index) for other in ended], dtype=np.float64)
        return Field(
            best=np.concatenate([completed_best, partial]),
            completed_best=completed_best,
            completed_last=np.array([other.values[-1] for other in ended], dtype=np.float64),
        )


def checkpoint(places: Series, length: float, constants: Constants = CONSTANTS) -> int:
    """Return how many values of a trial its newest checkpoint has, 0 when it has passed none.

    A checkpoint lies at the first value at or behind its share of the typical length. A trial that reports several at
    once is judged by the checkpoint that it passed.

    Args:
        places: How many epochs had been trained at each of the trial's values.
        length: How many epochs a trial typically has.
        constants: Others than the rule's own are for measuring what each does.
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
    """Compare what a trial needs with what it can be expected to gain.

    Args:
        curve: The trial's values; those behind the checkpoint can only speak for it.
        places: How many epochs had been trained at each value up to the checkpoint.
        length: How many epochs a trial typically has.
        field: The other trials at the checkpoint.
        constants: Others than the rule's own are for measuring what each does.
    """
    if len(field.completed_last) < constants.completed:
        return None
    done, target = len(places), float(np.max(field.completed_last))
    diverged = not math.isfinite(curve[-1])
    value = -math.inf if diverged else float(np.max(curve))
    rivals = int(np.count_nonzero(field.best > (value if diverged else np.max(curve[:done]))))
    if rivals == 0 or not math.isfinite(target):
        return None
    gain = max(_gain_of_leaders(field, constants.leaders), 0.0 if diverged else _own_gain(curve[:done], places, length))
    threshold = target - (1 + constants.caution / rivals) * gain
    if value >= threshold:
        return None
    return Shortfall(value, threshold, target, len(field.completed_last), rivals)


def _gain_of_leaders(field: Field, least: int) -> float:
    """The most that a completed trial which ended well gained from this epoch to its end; endless when none can tell.

    Who started so late that it ended among the last has gained much, and says nothing about how one becomes the best.
    """
    finite = np.isfinite(field.completed_best) & np.isfinite(field.completed_last)
    best, last = field.completed_best[finite], field.completed_last[finite]
    leaders = np.argsort(-last, kind="stable")[: max(least, math.ceil(len(last) / 2))]
    return max(0.0, float(np.max((last - best)[leaders]))) if leaders.size else math.inf


def _own_gain(curve: Series, places: Series, length: float) -> float:
    """What the trial would gain if each further doubling of its epochs moved it as much as the last one."""
    finite = curve[np.isfinite(curve)]
    if not finite.size:
        return math.inf
    known = places[: finite.size]  # as if the training had begun later by what diverged
    recent = finite[known >= known[-1] / 2]
    return float(np.max(recent) - np.min(recent)) * max(0.0, math.log2(length / places[-1]))
