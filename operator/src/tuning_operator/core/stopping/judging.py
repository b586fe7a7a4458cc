"""Applies the early stopping rule to running trials: stops them or, in a dry run, records that it would."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tuning_operator.core.model.trial import TrialPhase, searched
from tuning_operator.core.stopping import rule_for

if TYPE_CHECKING:
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import StopDecision, Trial


def judged(trials: tuple[Trial, ...], job: Job) -> tuple[Trial, ...]:
    """Return the trials with the rule's decisions; the first decision about a trial stands.

    Trials that repeat another one with another seed are neither judged nor compared with.
    """
    config = job.spec.hyperband or job.spec.early_stopping
    dry_run = job.spec.early_stopping.dry_run
    tried = searched(trials)
    if all(trial.phase is not TrialPhase.RUNNING for trial in tried):
        return trials
    known = tuple(map(_as_if_stopped, tried)) if dry_run else tried
    rule = rule_for(config, job.spec.objective.goal, known)

    def verdict(trial: Trial) -> Trial:
        if trial.is_repetition or (dry_run and trial.status.would_stop):
            return trial
        stop = rule(trial)
        if stop is None:
            return trial
        return _with_record(trial, stop) if dry_run else with_stop(trial, stop)

    return tuple(verdict(trial) if trial.phase is TrialPhase.RUNNING else trial for trial in trials)


def with_stop(trial: Trial, stop: StopDecision) -> Trial:
    """Return the trial with the decision to stop it."""
    status = replace(trial.status, phase=TrialPhase.STOPPING, stop=stop, reason=stop.reason, message=stop.message)
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
