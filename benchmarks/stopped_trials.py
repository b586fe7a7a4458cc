"""How trials that were stopped, or still run, may count for the suggester: alternatives to the operator's choice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.virtual_job import View
    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.suggest import SuggestRequest

    End = Callable[[Trial], float]
    """The objective that a trial has, or would have, at the end of its run."""

    Value = Callable[[Goal, Trial, list[Trial]], float]
    """An objective for a stopped trial, from it and the completed ones; higher is better."""


def last_value(request: SuggestRequest, _trials: tuple[Trial, ...]) -> SuggestRequest:
    """As the operator does."""
    return request


def left_out(request: SuggestRequest, trials: tuple[Trial, ...]) -> SuggestRequest:
    """Nothing."""
    return replace(request, observations=_others(trials))


def unfinished(request: SuggestRequest, trials: tuple[Trial, ...]) -> SuggestRequest:
    """That it has been tried, but not with what result: like a trial that still runs."""
    stopped = tuple(trial.parameters for trial in trials if trial.phase is TrialPhase.EARLY_STOPPED)
    return replace(request, observations=_others(trials), pending=(*request.pending, *stopped))


def valued(value: Value) -> View:
    """An objective that it might have had."""

    def view(request: SuggestRequest, trials: tuple[Trial, ...]) -> SuggestRequest:
        goal = request.goal
        completed = [trial for trial in trials if trial.phase is TrialPhase.COMPLETED]
        stopped = [trial for trial in trials if trial.phase is TrialPhase.EARLY_STOPPED]
        sign = goal.orient(1.0)
        guessed = tuple(Observation(trial.parameters, sign * value(goal, trial, completed)) for trial in stopped)
        return replace(request, observations=(*_others(trials), *guessed))

    return view


def true_ends(end: End, *, stopped: bool, running: bool) -> View:
    """The true ends of trials that were stopped, or that run and have reported: what nobody can know."""

    def view(request: SuggestRequest, trials: tuple[Trial, ...]) -> SuggestRequest:
        observations, pending = [], []
        for trial in trials:
            runs = not trial.phase.is_final and trial.curve.latest is not None
            if (stopped and trial.phase is TrialPhase.EARLY_STOPPED) or (running and runs):
                observations.append(Observation(trial.parameters, end(trial)))
            elif trial.phase.is_final:
                observations.append(Observation.of(trial))
            else:
                pending.append(trial.parameters)
        return replace(request, observations=tuple(observations), pending=tuple(pending))

    return view


def _others(trials: tuple[Trial, ...]) -> tuple[Observation, ...]:
    return tuple(
        Observation(trial.parameters, trial.objective)
        for trial in trials
        if trial.phase.is_final and trial.phase is not TrialPhase.EARLY_STOPPED
    )


def _last(goal: Goal, trial: Trial) -> float:
    latest = trial.curve.latest
    return goal.orient(latest.value) if latest else -np.inf


def best_value(goal: Goal, trial: Trial, _completed: list[Trial]) -> float:
    return max(goal.orient(value) for _, value in trial.curve)


def _gains(goal: Goal, trial: Trial, completed: list[Trial]) -> list[float]:
    """What completed trials gained from the stopped one's last epoch to their end."""
    epochs = len(trial.curve)
    reached = [other for other in completed if len(other.curve) >= epochs]
    gains = [_last(goal, other) - goal.orient(other.curve.measurements[epochs - 1].value) for other in reached]
    return [gain for gain in gains if np.isfinite(gain)] or [0.0]


def typical_end(goal: Goal, trial: Trial, completed: list[Trial]) -> float:
    return _last(goal, trial) + float(np.median(_gains(goal, trial, completed)))


def best_end(goal: Goal, trial: Trial, completed: list[Trial]) -> float:
    return _last(goal, trial) + max(0.0, *_gains(goal, trial, completed))


def worst_end(goal: Goal, trial: Trial, completed: list[Trial]) -> float:
    """The worst of its own value and those of the completed trials."""
    return min(_last(goal, trial), *(_last(goal, other) for other in completed))


VIEWS: dict[str, View] = {
    "last value": last_value,
    "best value": valued(best_value),
    "typical end": valued(typical_end),
    "best end": valued(best_end),
    "worst end": valued(worst_end),
    "unfinished": unfinished,
    "left out": left_out,
}

ORACLES: dict[str, Callable[[End], View]] = {
    "true end of stopped": lambda end: true_ends(end, stopped=True, running=False),
    "true end of running": lambda end: true_ends(end, stopped=False, running=True),
    "all true ends": lambda end: true_ends(end, stopped=True, running=True),
}
"""Bounds of what any guess at those ends could gain."""
