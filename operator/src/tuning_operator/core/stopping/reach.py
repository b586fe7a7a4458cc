"""The rule without settings: stop a trial that can no longer reach the best.

A trial is stopped when even a generous estimate of what it can still gain (`gains.py`) leaves it short of the best
completed trial. It is compared at a few checkpoints, since each look is another chance to be wrong; after the last one,
noise is as large as what is left to save. Between checkpoints, only what others have reached since can change the
decision. Completed, stopped and running trials are all rivals, so the field is not made of survivors only. Where a
hyperparameter sets the number of epochs (`lengths.py`), trials are compared at the same share of their training.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuning_operator.core.model.curves import as_epoch
from tuning_operator.core.model.trial import StopDecision
from tuning_operator.core.stopping.chance import chance_in_words
from tuning_operator.core.stopping.crowd import Crowd
from tuning_operator.core.stopping.gains import CONSTANTS, Field, checkpoint, judge_reach, leaders
from tuning_operator.core.stopping.wording import comparison, in_users_terms, number

if TYPE_CHECKING:
    from tuning_operator.core.model.curves import Goal, Series
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.stopping.crowd import Found
    from tuning_operator.core.stopping.gains import Constants, Leaders, Shortfall
    from tuning_operator.core.stopping.grid import Grid
    from tuning_operator.core.stopping.lengths import Lengths
    from tuning_operator.core.stopping.track import Track


class _There(NamedTuple):
    """The trials that got to a place.

    Attributes:
        ended: The best values of the completed ones up to there.
        last: Their objectives, in the same order.
        leaders: What the best of these show.
        others: Those that run, or were stopped.
    """

    ended: Series
    last: Series
    leaders: Leaders
    others: Found


class OutOfReach:
    """The rule, with what it needs to know of all trials.

    Args:
        goal: Which direction of the objective is better.
        grid: The curves of all trials.
        lengths: How many epochs each trains.
        constants: How cautious it is.
    """

    def __init__(self, goal: Goal, grid: Grid, lengths: Lengths, constants: Constants = CONSTANTS) -> None:
        self._goal = goal
        self._constants = constants
        self._grid = grid
        self._lengths = lengths
        self._there: dict[tuple[float, float], _There] = {}
        """By the place and the length of the trials that are judged there."""

    def __call__(self, trial: Trial) -> StopDecision | None:
        """Return why the trial should stop, or None if it continues."""
        length = self._lengths.of(trial.name)
        if not length:  # it is in doubt, or none has completed
            return None
        track = self._grid.running(trial.curve)
        done = checkpoint(track.places, length, self._constants)
        if done == 0:
            return None
        field = self._field(trial, track, done - 1, length)
        shortfall = judge_reach(track.values, track.places[:done], length, field, self._constants)
        if shortfall is None:
            return None
        chance = chance_in_words(self._goal, shortfall.value, field.completed_best, field.completed_last)
        epoch, compared = (as_epoch(float(track.epochs[count - 1])) for count in (len(track), done))
        return StopDecision(
            reason="OutOfReach",
            message=f"epoch {epoch}: {self._in_words(shortfall, self._place(compared, length))}{chance}",
            epoch=epoch,
            value=in_users_terms(self._goal, shortfall.value),
            threshold=in_users_terms(self._goal, shortfall.threshold),
        )

    @cached_property
    def _completed(self) -> Crowd:
        return Crowd(self._grid.completed, self._lengths)

    @cached_property
    def _partial(self) -> Crowd:
        return Crowd(self._grid.partial, self._lengths)

    def _in_words(self, shortfall: Shortfall, place: str) -> str:
        target = number(in_users_terms(self._goal, shortfall.target))
        rivals, (kept, turned) = shortfall.rivals, shortfall.order
        pairs = f", where {kept} of {kept + turned} pairs of the leaders were in their final order"
        return (
            f"{comparison(self._goal, shortfall.value, shortfall.threshold)}, from where {target}, the best of"
            f" {shortfall.completed} completed trial{'s' * (shortfall.completed > 1)}, could still be reached"
            f" ({number(shortfall.widening, 3)} times a gain of {number(shortfall.gain)});"
            f" {'1 trial was' if rivals == 1 else f'{rivals} trials were'} better at {place}"
            f"{pairs if kept + turned else ''}"
        )

    def _place(self, epoch: float, length: float) -> str:
        """Return the place where the others were compared."""
        if self._lengths.parameter is None:
            return f"epoch {epoch}"
        return f"epoch {epoch} of {as_epoch(length)}, or as far in their own {self._lengths.parameter}"

    def _field(self, trial: Trial, track: Track, index: int, length: float) -> Field:
        """Return the other trials that got as far as this one at one of its values."""
        place = float(track.places[index])
        there = self._there.get((place, length))
        if there is None:  # a hundred trials that run are judged at a dozen checkpoints
            there = self._there[place, length] = self._look(place, index, length)
        best = np.concatenate([there.ended, self._partial.best_without(there.others, trial.name)])
        return Field(best, there.ended, there.last, there.leaders)

    def _look(self, place: float, index: int, length: float) -> _There:
        ended, others = (crowd.as_far(place, index, length) for crowd in (self._completed, self._partial))
        last = np.array([track.objective for track in ended.tracks], dtype=np.float64)
        return _There(ended.best, last, leaders(ended.best, last, self._constants), others)
