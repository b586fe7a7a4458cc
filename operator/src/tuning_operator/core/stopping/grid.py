"""The places that a job's trials share, and what may be compared of each curve there.

A curve's own steps and the other trials' epochs show which missing epochs were lost, and which the training never meant
to report. A NaN counts when it comes twice or last; a single one is skipped like an epoch without a value.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.model.curves import REGULAR, Goal
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.core.stopping.track import Track

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from tuning_operator.core.model.curves import Curve, Series
    from tuning_operator.core.model.trial import Trial

_PARTIAL = frozenset(
    {
        TrialPhase.RUNNING,
        TrialPhase.COLLECTING,
        TrialPhase.STOPPING,
        TrialPhase.PAUSED,
        TrialPhase.EARLY_STOPPED,
        TrialPhase.STOPPED,
    }
)

_ENOUGH_STEPS = 3
"""A curve with this many steps shows how wide they are; before that, those of the completed trials count too."""


class Grid:
    """The places that a job's trials share, and what may be compared of each curve there.

    Args:
        goal: Which direction of the objective is better.
        trials: All trials of the job; failed ones and those without an epoch do not count.
    """

    def __init__(self, goal: Goal, trials: Iterable[Trial]) -> None:
        self._goal = goal
        self._takes_best = False
        self._partial: dict[str, Curve] = {}
        self._completed: dict[str, Curve] = {}
        for trial in trials:  # in one loop: an operator and a replay do it for a thousand trials, again and again
            self._takes_best = self._takes_best or trial.best_for is not None
            status = trial.status
            if status.phase is TrialPhase.COMPLETED:
                self._completed[trial.name] = status.curve
            elif status.phase in _PARTIAL:
                self._partial[trial.name] = status.curve
        self._completed = {name: curve for name, curve in self._completed.items() if len(curve)}
        self._curves = curves = [*self._completed.values(), *filter(len, self._partial.values())]
        self._first = min((float(curve.epochs[0]) for curve in curves), default=1.0)
        whole = self._first == 0 and all(curve.has_whole_epochs for curve in curves)
        self._offset = 1.0 if whole else 0.0

    @cached_property
    def completed(self) -> dict[str, Track]:
        """The curves of the completed trials by name, except those whose beginning was lost."""
        tracks = {name: self._whole(curve) for name, curve in self._completed.items()}
        return {name: track for name, track in tracks.items() if track is not None}

    def _whole(self, curve: Curve) -> Track | None:
        """Return the curve of a training that ended by itself; None without its beginning."""
        question = ("whole", *self._alone)
        if question not in curve.derived:
            has_beginning = self._has_beginning(curve)
            curve.derived[question] = self._track(curve, len(curve), ended=True) if has_beginning else None
        found: Track | None = curve.derived[question]
        return found

    @cached_property
    def partial(self) -> dict[str, Track]:
        """The curves of stopped and running trials by name, up to their first loss.

        With them a trial is compared with all others, not with survivors alone.
        """
        return {name: self.running(curve) for name, curve in self._partial.items()}

    def running(self, curve: Curve) -> Track:
        """Return the curve up to its first lost epoch: what a decision about a running trial may use."""
        found: Track | None = curve.derived.get(self._alone)
        if found is None:
            has_beginning, has_gap = self._has_beginning(curve), self._has_gap(curve)
            found = self._track(curve, self._known(curve) if has_beginning else 0)
            if not (has_beginning and has_gap):
                curve.derived[self._alone] = found
        return found

    def place(self, epoch: float) -> float:
        """Return how many epochs have been trained when this one has ended."""
        return epoch + self._offset

    def trained(self, curve: Curve) -> float:
        """Return how many epochs a trial has trained in this job, missing ones included; 0 without a curve."""
        latest = curve.latest
        return max(0.0, self.place(latest.epoch) - self.before) if latest else 0.0

    @property
    def before(self) -> float:
        """How many epochs were trained before this job, where the logs of all trials begin at a later epoch."""
        return max(0.0, self.place(self._first) - (self._step or 1.0))

    def _track(self, curve: Curve, count: int, *, ended: bool = False) -> Track:
        """Return what may be compared of the first `count` measurements; cached per question."""
        question = (self._goal, self._offset, self._takes_best, count, ended)
        track: Track | None = curve.derived.get(question)
        if track is None:
            kept = np.flatnonzero(~_passing(curve.values[:count], ended=ended))
            epochs, values = curve.epochs[kept], self._goal.oriented(curve.values[kept])
            track = Track(epochs, epochs + self._offset, values, self._takes_best)
            curve.derived[question] = track
        return track

    def _has_beginning(self, curve: Curve) -> bool:
        """Whether the curve begins where the others do, within one of its steps."""
        first = curve.first
        if first is None:
            return False
        return first.epoch <= max(self._first, REGULAR * (self._own_step(curve) or 0.0))

    def _known(self, curve: Curve) -> int:
        """Return how many measurements precede the first loss: a gap in which another trial has an epoch.

        A gap no wider than the trial's own steps is no loss. In a thinned curve losses are unknown, and harmless.
        """
        step = self._own_step(curve)
        if step is None or not self._has_gap(curve):
            return len(curve)
        for before in np.flatnonzero(np.diff(curve.epochs) > REGULAR * step).tolist():
            if self._is_between(float(curve.epochs[before]), float(curve.epochs[before + 1])):
                return before + 1
        return len(curve)

    def _has_gap(self, curve: Curve) -> bool:
        """Whether only the other curves show how much of this one is known."""
        step = self._own_step(curve)
        return not curve.thinned and step is not None and curve.widest_step > REGULAR * step

    def _is_between(self, begin: float, end: float) -> bool:
        """Whether any trial has an epoch between the two, or may have had one that thinning removed."""
        return any(
            curve.thinned or np.searchsorted(curve.epochs, end) > np.searchsorted(curve.epochs, begin, side="right")
            for curve in self._curves
        )

    def _own_step(self, curve: Curve) -> float | None:
        own = curve.step
        if len(curve) > _ENOUGH_STEPS or self._step is None:
            return own
        return self._step if own is None else min(own, self._step)

    @cached_property
    def _alone(self) -> tuple[object, ...]:
        """What the other curves decide about one without a gap."""
        return (self._goal is Goal.MAXIMIZE, self._offset, self._takes_best, self._first, self._step)

    @property
    def longest(self) -> float:
        """How many epochs the longest completed trial has, those that are missing included; infinity of none."""
        ends = (float(curve.epochs[-1]) for curve in self._completed.values())
        return self.place(max(ends, default=math.inf))

    @property
    def length(self) -> float:
        """The median number of epochs of the completed trials; 0 without one."""
        return float(np.median([track.end for track in self.completed.values()])) if self.completed else 0.0

    @cached_property
    def _step(self) -> float | None:
        """The completed trials' typical step."""
        steps = [step for curve in self._completed.values() if not curve.thinned and (step := curve.step) is not None]
        return float(np.median(steps)) if steps else None


def _passing(values: Series, *, ended: bool) -> npt.NDArray[np.bool_]:
    """Return which values are a single NaN or infinity, ignored unless it is a training's last value."""
    around = np.concatenate([[False], ~np.isfinite(values), [ended]])
    return np.asarray(around[1:-1] & ~around[:-2] & ~around[2:])
