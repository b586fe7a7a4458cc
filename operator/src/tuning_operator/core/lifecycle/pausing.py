"""Decides about paused trials once all new ones have been started: resume them, most promising first, or end them.

A paused trial is worth a slot that has nothing better to do as long as the rule would let it continue from where it is,
by all that is known by then. What is out of reach waits until nothing else runs, since the end of another trial may
still speak for it, and ends as EarlyStopped.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.attempts import resumed
from tuning_operator.core.lifecycle.completion import untried
from tuning_operator.core.lifecycle.slots import free_slots, retries_to_come, trials_without_attempt
from tuning_operator.core.model.early_stopping import EarlyStopping
from tuning_operator.core.model.trial import TrialPhase, searched
from tuning_operator.core.stopping import rule_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.observation import Observation
    from tuning_operator.core.model.snapshot import Snapshot
    from tuning_operator.core.model.trial import StopDecision, Trial
    from tuning_operator.core.stopping import Rule

MOST_JUDGED = 32
"""Paused trials that a pass judges, the best first: each takes a millisecond in a job of a thousand trials."""


def has_new_trials(job: Job, trials: Sequence[Trial], known: Sequence[Observation]) -> bool:
    """Whether a trial waits to be started for the first time, or one is still to be suggested."""
    tried, left = searched(trials), untried(job, trials, known)
    may_suggest = len(tried) < job.spec.limits.max_trials and (left is None or left > 0)
    return may_suggest or any(trial.phase is TrialPhase.PENDING and trial.status.attempt == 1 for trial in tried)


def settled(trials: tuple[Trial, ...], snapshot: Snapshot) -> tuple[Trial, ...]:
    """Return the trials with those resumed for which there are slots; without any left to wait for, the others ended.

    Args:
        trials: All trials of a job that has no new one to start, with this pass's judgements.
        snapshot: The cluster.
    """
    job, tried = snapshot.job, searched(trials)
    is_alone = all(trial.phase.is_final or trial.phase is TrialPhase.PAUSED for trial in tried)
    waiting = len(trials_without_attempt(trials, snapshot)) + retries_to_come(trials, job.spec.max_attempts)
    room = max(0, free_slots(snapshot) - waiting)
    paused = sorted(
        (trial for trial in trials if trial.phase is TrialPhase.PAUSED), key=lambda trial: _promise(trial, job)
    )
    if not paused or not (room or is_alone):
        return trials
    rule = _rule(job, tried)
    verdicts = {trial.name: rule(trial) for trial in paused[:MOST_JUDGED]}
    worth = [name for name, verdict in verdicts.items() if verdict is None]
    if not worth and is_alone:
        return tuple(_given_up(trial, verdicts.get(trial.name), snapshot) for trial in trials)
    chosen = set(worth[:room])
    return tuple(
        replace(trial, status=resumed(trial.status, snapshot.now)) if trial.name in chosen else trial
        for trial in trials
    )


def are_left(before: Sequence[Trial], after: Sequence[Trial]) -> bool:
    """Whether a pass ended some, so that the next one judges the others."""
    is_given_up = any(
        trial.phase is TrialPhase.EARLY_STOPPED and known.phase is TrialPhase.PAUSED
        for known, trial in zip(before, after, strict=True)
    )
    return is_given_up and any(trial.phase is TrialPhase.PAUSED for trial in after)


def _rule(job: Job, trials: Sequence[Trial]) -> Rule:
    """What gives a paused trial up: nothing, where early stopping is off or only tried."""
    config = EarlyStopping() if job.spec.early_stopping.dry_run else job.spec.early_stopping
    return rule_for(config, job.spec.objective.goal, trials)


def _promise(trial: Trial, job: Job) -> tuple[float, int]:
    """Order by the best value so far, the best first."""
    goal = job.spec.objective.goal
    return min((-goal.orient(value) for value in trial.curve.values.tolist()), default=math.inf), trial.number


def _given_up(trial: Trial, verdict: StopDecision | None, snapshot: Snapshot) -> Trial:
    if verdict is None:
        return trial
    status = replace(
        trial.status,
        phase=TrialPhase.EARLY_STOPPED,
        stop=verdict,
        reason=verdict.reason,
        message=verdict.message,
        completion_time=snapshot.now,
    )
    return replace(trial, status=status)
