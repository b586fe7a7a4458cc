"""Curves as arrays that rules can compare: higher is better, diverged values worst, at places that trials share.

A place is an epoch, never an index, so that an epoch that was lost is not taken for the next one: a rival is looked at
where the judged trial is, between two of its epochs if its log has others. Which of the epochs that a curve does not
have were lost, and which the training never meant to report, its own steps tell and what the other trials have. A
value that is NaN counts when it comes twice, or at the end; a single one is passed over like an epoch without a value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.model.curves import REGULAR, Goal, Series
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from tuning_operator.core.model.curves import Curve
    from tuning_operator.core.model.trial import Trial

__all__ = ["Grid", "Series", "Track"]

_PARTIAL = frozenset(
    {
        TrialPhase.RUNNING,
        TrialPhase.COLLECTING,
        TrialPhase.STOPPING,
        TrialPhase.EARLY_STOPPED,
        TrialPhase.STOPPED,
    }
)

_ENOUGH_STEPS = 3
"""A curve with as many steps shows how wide they are; before that those of the completed trials count, too."""


@dataclass(frozen=True)
class Track:
    """What may be compared of a trial.

    Attributes:
        epochs: As the training numbers them.
        places: The same as epochs that have been trained: one more where the training counts from 0.
        values: Higher is better, minus infinity for what diverged.
        takes_best: Whether the best epoch is a trial's objective, and not the last one.
    """

    epochs: Series
    places: Series
    values: Series
    takes_best: bool = False

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def best(self) -> Series:
        """The best values so far."""
        return np.maximum.accumulate(self.values)

    @property
    def objectives(self) -> Series:
        """What its objective would be if it had ended at each of its epochs."""
        return self.best if self.takes_best else self.values

    @cached_property
    def averages(self) -> Series:
        """The running averages of these over its own epochs."""
        return np.cumsum(self.objectives) / np.arange(1, len(self) + 1)

    @cached_property
    def widest_step(self) -> float:
        """The greatest distance of two places that follow each other; 1 where there are not two."""
        return float(np.max(np.diff(self.places))) if len(self) > 1 else 1.0

    @cached_property
    def end(self) -> float:
        """The last place; 0 of nothing."""
        return float(self.places[-1]) if len(self) else 0.0

    @cached_property
    def _begin(self) -> float:
        return float(self.places[0]) if len(self) else math.inf

    @cached_property
    def _steps(self) -> tuple[float, float] | None:
        """The first place and the distance of all others, where it is the same."""
        if len(self) <= 1:
            return None
        step = self.places[1] - self.places[0]
        return (self._begin, float(step)) if np.all(np.diff(self.places) == step) else None

    def covers(self, place: float) -> bool:
        """Whether the value at a place is known; the methods below need such a place."""
        return self._begin <= place <= self.end

    def value_at(self, place: float, likely: int) -> float:
        """The value at a place: linear between two epochs, diverged beside a diverged one.

        Args:
            place: The place.
            likely: Where another trial has it among its own: the same index here, as a rule.
        """
        if self._has(place, likely):
            return float(self.values[likely])
        after = int(np.searchsorted(self.places, place))
        if self.places[after] == place:
            return float(self.values[after])
        around = slice(after - 1, after + 1)
        return float(_interpolated(np.array([place]), self.places[around], self.values[around])[0])

    def best_at(self, place: float, likely: int) -> float:
        """The best value up to a place."""
        if self._has(place, likely):
            return float(self.best[likely])
        before = int(np.searchsorted(self.places, place, side="right"))
        return max(self.value_at(place, likely), float(self.best[before - 1]))

    def objective_at(self, place: float, likely: int) -> float:
        """What its objective would be if it had ended at a place."""
        return self.best_at(place, likely) if self.takes_best else self.value_at(place, likely)

    def average_over(self, other: Track) -> float:
        """Its average objective over the places of another trial, as far as it was there; it covers the last one."""
        count = len(other)
        if len(self) >= count and ((self._steps and self._steps == other._steps) or self._agrees(other.places)):
            return float(self.averages[count - 1])
        shared = other.places[other.places >= self._begin]
        return float(np.cumsum(_interpolated(shared, self.places, self.objectives))[-1] / len(shared))

    def _has(self, place: float, index: int) -> bool:
        return index < len(self.values) and bool(self.places[index] == place)

    def _agrees(self, places: Series) -> bool:
        return np.array_equal(self.places[: len(places)], places)


class Grid:
    """The places that a job's trials share, and what of each curve may be compared there.

    Args:
        goal: Which direction of the objective is better.
        trials: All trials of the job; failed ones and those without an epoch tell nothing.
    """

    def __init__(self, goal: Goal, trials: Iterable[Trial]) -> None:
        self._goal = goal
        known = list(trials)
        self._takes_best = any(trial.best_for for trial in known)
        self._trials = [trial for trial in known if trial.phase in _PARTIAL or trial.phase is TrialPhase.COMPLETED]
        self._curves = curves = [trial.curve for trial in self._trials if len(trial.curve)]
        self._completed = {
            trial.name: trial.curve
            for trial in self._trials
            if trial.phase is TrialPhase.COMPLETED and len(trial.curve)
        }
        self._first = min((float(curve.epochs[0]) for curve in curves), default=1.0)
        whole = self._first == 0 and all(curve.has_whole_epochs for curve in curves)
        self._offset = 1.0 if whole else 0.0

    @cached_property
    def completed(self) -> dict[str, Track]:
        """The curves of the completed trials by name; those whose beginning is lost are left out."""
        return {
            name: self._track(curve, len(curve), ended=True)
            for name, curve in self._completed.items()
            if self._has_beginning(curve)
        }

    @cached_property
    def partial(self) -> dict[str, Track]:
        """The curves of stopped and running trials by name, up to their first loss.

        With them a trial is compared with all that there are, and not with survivors alone.
        """
        return {trial.name: self.running(trial.curve) for trial in self._trials if trial.phase in _PARTIAL}

    def running(self, curve: Curve) -> Track:
        """The curve up to the first epoch that was lost: what a decision about a running trial may act on."""
        return self._track(curve, self._known(curve) if self._has_beginning(curve) else 0)

    def place(self, epoch: float) -> float:
        """How many epochs have been trained when this one has ended."""
        return epoch + self._offset

    def trained(self, curve: Curve) -> float:
        """How many epochs a trial has been trained in this job, those that are missing included; 0 of nothing."""
        latest = curve.latest
        return max(0.0, self.place(latest.epoch) - self.before) if latest else 0.0

    @property
    def before(self) -> float:
        """What was trained before this job, where the logs of all trials begin at a later epoch."""
        return max(0.0, self.place(self._first) - (self._step or 1.0))

    def _track(self, curve: Curve, count: int, *, ended: bool = False) -> Track:
        """What may be compared of the first `count` measurements; the same object for the same question."""
        question = (self._goal, self._offset, self._takes_best, count, ended)
        track: Track | None = curve.derived.get(question)
        if track is None:
            kept = np.flatnonzero(~_passing(curve.values[:count], ended=ended))
            epochs, values = curve.epochs[kept], self._goal.oriented(curve.values[kept])
            track = Track(epochs, epochs + self._offset, values, self._takes_best)
            curve.derived[question] = track
        return track

    def _has_beginning(self, curve: Curve) -> bool:
        """Whether the curve begins where the others do, or within a step of its own from there."""
        first = curve.first
        if first is None:
            return False
        return first.epoch <= max(self._first, REGULAR * (self._own_step(curve) or 0.0))

    def _known(self, curve: Curve) -> int:
        """How many of its measurements precede the first loss: a gap in which another trial has an epoch.

        A gap no wider than the trial's own steps is none. Within a thinned curve nothing is known, or lost that
        would matter.
        """
        step = self._own_step(curve)
        if curve.thinned or step is None or curve.widest_step <= REGULAR * step:
            return len(curve)
        for before in np.flatnonzero(np.diff(curve.epochs) > REGULAR * step).tolist():
            if self._is_between(float(curve.epochs[before]), float(curve.epochs[before + 1])):
                return before + 1
        return len(curve)

    def _is_between(self, begin: float, end: float) -> bool:
        """Whether any trial has an epoch between the two, or may have had one that was left out."""
        return any(
            curve.thinned or np.searchsorted(curve.epochs, end) > np.searchsorted(curve.epochs, begin, side="right")
            for curve in self._curves
        )

    def _own_step(self, curve: Curve) -> float | None:
        own = curve.step
        if len(curve) > _ENOUGH_STEPS or self._step is None:
            return own
        return self._step if own is None else min(own, self._step)

    @property
    def length(self) -> float:
        """The median number of epochs of the completed trials; 0 of none."""
        return float(np.median([track.end for track in self.completed.values()])) if self.completed else 0.0

    @cached_property
    def _step(self) -> float | None:
        """What the completed trials have for a step, typically."""
        steps = [step for curve in self._completed.values() if not curve.thinned and (step := curve.step) is not None]
        return float(np.median(steps)) if steps else None


def _passing(values: Series, *, ended: bool) -> npt.NDArray[np.bool_]:
    """Which values are a single NaN or infinity, which says nothing yet; as the last value of a training it does."""
    around = np.concatenate([[False], ~np.isfinite(values), [ended]])
    return np.asarray(around[1:-1] & ~around[:-2] & ~around[2:])


def _interpolated(at: Series, places: Series, values: Series) -> Series:
    """Linear between finite neighbours; beside a diverged one everything is diverged."""
    finite = np.isfinite(values)
    filled = np.interp(at, places, np.where(finite, values, 0.0))
    diverged = np.interp(at, places, np.where(finite, 0.0, 1.0)) > 0
    return np.where(diverged, -np.inf, filled)
