"""The rule for users who do not want to choose one: stop a trial that can no longer reach the best.

A trial is stopped when even a generous guess of what it can still gain leaves it short of the best completed
trial. Two guesses are made and the larger counts: the most that any completed trial gained from the same epoch to
its end, and what the trial itself would gain if every further doubling of its epochs moved it as much as the last
one did (learning curves run like the logarithm of time; what jumps about may jump up). The guess is widened by a
quarter, and by twice that while only two other trials were better at the same epoch; with fewer nothing is stopped.
Completed, stopped and running trials are all compared, so that the field is not only made of survivors.

A decision is made anew at a few checkpoints, each a quarter further than the one before, since each look is another
chance to be wrong, and none in the last fifth, where noise is as large as what is left to save.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.stopping.series import COMPARED, completed_series, running_series
from tuning_operator.core.stopping.wording import comparison, in_users_terms, number
from tuning_operator.core.trials import StopDecision, TrialPhase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.curves import Goal
    from tuning_operator.core.stopping.series import Series
    from tuning_operator.core.trials import Trial


@dataclass(frozen=True, slots=True)
class Constants:
    """The constants of the rule, in one place so that the benchmark can show what each of them does.

    Attributes:
        margin: Times the larger guess of what can still be gained.
        rivals: So many others must have been better at the same epoch,
        few_rivals: or so many when the margin is widened by `few_rivals_factor`.
        completed: So many trials must have completed.
        epochs: A trial is not judged before so many epochs,
        first: nor before this share of the typical length,
        last: nor after this one.
        ratio: Between a checkpoint and the one before.
    """

    margin: float = 1.25
    rivals: int = 3
    few_rivals: int = 2
    few_rivals_factor: float = 2.0
    completed: int = 2
    epochs: int = 2
    first: float = 0.1
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
        target: The best last value of the completed trials.
        rivals: How many others were better at the same epoch.
    """

    value: float
    threshold: float
    target: float
    rivals: int


def out_of_reach(goal: Goal, trial: Trial, trials: Sequence[Trial]) -> StopDecision | None:
    """Return why the trial is to be stopped, or None when it goes on."""
    completed = completed_series(goal, trials)
    if len(completed) < CONSTANTS.completed:
        return None
    curve = running_series(goal, trial.curve)
    length = float(np.median([len(series) for series in completed]))
    done = checkpoint(len(curve), length)
    if done == 0:
        return None
    partial = [
        running_series(goal, other.curve)
        for other in trials
        if other.name != trial.name and other.phase in COMPARED and other.phase is not TrialPhase.COMPLETED
    ]
    shortfall = judge_reach(curve, done, length, _field(completed, partial, done))
    if shortfall is None:
        return None
    epoch = trial.curve.measurements[len(curve) - 1].epoch
    return StopDecision(
        reason="OutOfReach",
        message=f"epoch {epoch}: {comparison(goal, shortfall.value, shortfall.threshold)}, from where"
        f" {number(in_users_terms(goal, shortfall.target))}, the best of {len(completed)} completed trials, could"
        f" still be reached; {shortfall.rivals} trials were better at this epoch",
        epoch=epoch,
        value=in_users_terms(goal, shortfall.value),
        threshold=in_users_terms(goal, shortfall.threshold),
    )


def checkpoint(done: int, length: float, constants: Constants = CONSTANTS) -> int:
    """Return the newest checkpoint among the epochs that a trial has finished; 0 when it has passed none.

    A trial that reports several epochs at once is judged by the checkpoint that it passed.
    """
    newest, share = 0, constants.first
    while share <= constants.last:
        epochs = max(constants.epochs, math.ceil(share * length))
        if epochs > done:
            break
        newest, share = epochs, share * constants.ratio
    return newest


def judge_reach(
    curve: Series, done: int, length: float, field: Field, constants: Constants = CONSTANTS
) -> Shortfall | None:
    """Compare what a trial needs with what it can be expected to gain.

    Args:
        curve: The trial's values; those behind the checkpoint can only speak for it.
        done: The checkpoint, in epochs.
        length: How many epochs a trial typically has.
        field: The other trials at the checkpoint.
        constants: Others than the rule's own are for measuring what each does.
    """
    if len(field.completed_last) < constants.completed:
        return None
    target = float(np.max(field.completed_last))
    diverged = not math.isfinite(curve[-1])
    value = -math.inf if diverged else float(np.max(curve))
    rivals = int(np.count_nonzero(field.best > (value if diverged else np.max(curve[:done]))))
    if rivals < constants.few_rivals or not math.isfinite(target):
        return None
    gain = max(_gain_of_others(field), 0.0 if diverged else _own_gain(curve[:done], length))
    widened = 1.0 if rivals >= constants.rivals else constants.few_rivals_factor
    threshold = target - constants.margin * widened * gain
    return Shortfall(value, threshold, target, rivals) if value < threshold else None


def _gain_of_others(field: Field) -> float:
    """The most that a completed trial gained from this epoch to its end; endless when none can tell."""
    finite = np.isfinite(field.completed_best) & np.isfinite(field.completed_last)
    gains = field.completed_last[finite] - field.completed_best[finite]
    return max(0.0, float(np.max(gains))) if gains.size else math.inf


def _own_gain(curve: Series, length: float) -> float:
    """What the trial would gain if each further doubling of its epochs moved it as much as the last one."""
    finite = curve[np.isfinite(curve)]
    if not finite.size:
        return math.inf
    recent = finite[max(0, math.ceil(len(finite) / 2) - 1) :]
    return float(np.max(recent) - np.min(recent)) * max(0.0, math.log2(length / len(curve)))


def _field(completed: Sequence[Series], partial: Sequence[Series], done: int) -> Field:
    ended = [series for series in completed if len(series) >= done]
    going = [series for series in partial if len(series) >= done]
    completed_best = np.array([np.max(series[:done]) for series in ended], dtype=np.float64)
    going_best = np.array([np.max(series[:done]) for series in going], dtype=np.float64)
    completed_last = np.array([series[-1] for series in ended], dtype=np.float64)
    return Field(np.concatenate([completed_best, going_best]), completed_best, completed_last)
