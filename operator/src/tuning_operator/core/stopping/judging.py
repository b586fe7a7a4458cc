"""Applies the early stopping rule to running trials: stops them or, in a dry run, records that it would."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tuning_operator.core.model.trial import TrialPhase, searched
from tuning_operator.core.stopping import rule_for
from tuning_operator.core.stopping.gains import PAUSING

if TYPE_CHECKING:
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import StopDecision, Trial


MOST_RESUMPTIONS = 1
"""How often a trial resumes after a pause at most: each time costs a Pod's start and the loading of a checkpoint."""


def judged(trials: tuple[Trial, ...], job: Job, *, may_pause: bool = False) -> tuple[Trial, ...]:
    """Return the trials with the rule's decisions; the first decision about a trial stands.

    Trials that repeat another one with another seed are neither judged nor compared with.

    Args:
        trials: All trials of the job, with curves up to date.
        job: What it asks of early stopping.
        may_pause: Whether a new trial would get the slot of one that is paused.
    """
    config = job.spec.hyperband or job.spec.early_stopping
    dry_run, pauses = job.spec.early_stopping.dry_run, job.spec.early_stopping.pause and may_pause
    tried = searched(trials)
    if all(trial.phase is not TrialPhase.RUNNING for trial in tried):
        return trials
    known = tuple(map(_as_if_stopped, tried)) if dry_run else tried
    rule = rule_for(config, job.spec.objective.goal, known)
    pausing = rule_for(config, job.spec.objective.goal, known, PAUSING) if pauses else rule

    def verdict(trial: Trial) -> Trial:
        if trial.is_repetition or (dry_run and trial.status.would_stop):
            return trial
        if pauses and trial.status.resumptions < MOST_RESUMPTIONS:
            pause = pausing(trial)
            return trial if pause is None else with_pause(trial, pause)
        stop = rule(trial)
        if stop is None:
            return trial
        return _with_record(trial, stop) if dry_run else with_stop(trial, stop)

    return tuple(verdict(trial) if trial.phase is TrialPhase.RUNNING else trial for trial in trials)


def with_stop(trial: Trial, stop: StopDecision) -> Trial:
    """Return the trial with the decision to stop it."""
    status = replace(trial.status, phase=TrialPhase.STOPPING, stop=stop, reason=stop.reason, message=stop.message)
    return replace(trial, status=status)


def with_pause(trial: Trial, pause: StopDecision) -> Trial:
    """Return the trial with the decision to pause it."""
    status = replace(trial.status, phase=TrialPhase.STOPPING, pause=pause, reason=pause.reason, message=pause.message)
    return replace(trial, status=status)


def _with_record(trial: Trial, would_stop: StopDecision) -> Trial:
    return replace(trial, status=replace(trial.status, would_stop=would_stop))


def _as_if_stopped(trial: Trial) -> Trial:
    """Return the trial as the rule would see it had it been stopped, so that a dry run decides as a real one."""
    stop = trial.status.would_stop
    if stop is None or stop.epoch is None:
        return trial
    curve = trial.curve.until(stop.epoch)
    return replace(trial, status=replace(trial.status, phase=TrialPhase.EARLY_STOPPED, curve=curve))
