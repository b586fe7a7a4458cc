"""Decides whether and why a job has ended, and whether an edit resumes it."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.budget import spent
from tuning_operator.core.model.conditions import fitting
from tuning_operator.core.model.job import Completion, CompletionReason, JobPhase
from tuning_operator.core.model.ranking import best_trial
from tuning_operator.core.model.trial import TrialPhase, searched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.observation import Observation
    from tuning_operator.core.model.trial import Trial


LOW_GAINS = 3
"""Trials in a row that are expected to gain too little before a job has converged."""

UNPROVEN = 5
"""Number of failures without a single epoch that put the template in doubt; SageMaker, too, ends a job after these."""

_NAMED = 10
"""Number of failed trials that a message names."""


def completion(
    job: Job, trials: Sequence[Trial], now: datetime, known: Sequence[Observation] = ()
) -> Completion | None:
    """Return why the search ends, or None while it continues. The first rule that holds is the reason.

    Trials that repeat another one with another seed cost time, and are no part of the search. The points of `known`
    trials, made by other jobs and counted as this job's, are not tried again.
    """
    budget = spent(job, trials, now)
    trials = searched(trials)
    return (
        _stopped_by_user(job)
        or _target_reached(job, trials)
        or _too_many_failed(job, trials)
        or _none_succeeded(job, trials)
        or budget
        or _all_trials_ended(job, trials, known)
        or _without_improvement(job, trials, now)
        or _converged(job, trials)
    )


def final_phase(
    job: Job, trials: Sequence[Trial], reason: CompletionReason, known: Sequence[Observation] = ()
) -> JobPhase:
    """Return the phase of a job that has ended: without any result it has failed, whatever the reason.

    A result among the `known` trials, made by other jobs and counted as this job's, suffices.
    """
    if reason.phase is not JobPhase.COMPLETED or best_trial(job, trials):
        return reason.phase
    shows = any(each.objective is not None and math.isfinite(each.objective) for each in known)
    return JobPhase.COMPLETED if shows else JobPhase.FAILED


def stall(job: Job, trials: Sequence[Trial]) -> str | None:
    """Return why no trial is added for now, or None: the template is in doubt, and a running trial may clear it.

    Without this, a node on which every training fails at once would use up all trials while healthy nodes get going.
    """
    trials = searched(trials)
    left = sum(not trial.phase.is_final for trial in trials)
    if not left or not _is_in_doubt(job, trials):
        return None
    failed = _failures(job, trials)
    return (
        f"{len(failed)} trials failed and none has reported an epoch: {_named(failed)}. No trial is added until one"
        f" of the {left} unfinished trials reports one; to continue anyway, set limits.maxFailedTrials to more than"
        f" {len(failed)}"
    )


def is_resumed(job: Job, trials: Sequence[Trial], now: datetime, known: Sequence[Observation] = ()) -> bool:
    """Whether an edit resumes a job whose end is recorded: no reason to end it holds any longer.

    Without an edit the record stands, whatever happens to the trials. The clock of an ended job stands still.
    """
    reason = job.completion_reason
    if reason is None or reason.is_for_good or not job.is_edited:
        return False
    return completion(job, trials, job.completion_time or now, known) is None


def untried(job: Job, trials: Sequence[Trial], known: Sequence[Observation]) -> int | None:
    """Return how many points of a finite space neither the job nor any other known one has tried."""
    space, trials = job.spec.space, searched(trials)
    if space.size is None:
        return None
    others = {space.key(observation.parameters) for observation in known}
    if others:
        others -= {space.key(trial.parameters) for trial in trials}
    return space.size - len(trials) - len(others)


def _stopped_by_user(job: Job) -> Completion | None:
    return Completion(CompletionReason.STOPPED_BY_USER, "spec.stop is true") if job.spec.stop else None


def _target_reached(job: Job, trials: Sequence[Trial]) -> Completion | None:
    target = job.spec.objective.target
    if target is None:
        return None
    best = best_trial(job, trials)
    if best is None or best.objective is None:
        return None
    if job.spec.objective.goal.is_better(target, than=best.objective):
        return None
    return Completion(
        CompletionReason.TARGET,
        f"trial {best.name} reached {best.objective:.6g}; the target was {target:.6g}",
    )


def _too_many_failed(job: Job, trials: Sequence[Trial]) -> Completion | None:
    limit = job.spec.limits.max_failed_trials
    failed = _failures(job, trials)
    if limit is None or len(failed) < limit:
        return None
    return Completion(
        CompletionReason.MAX_FAILED_TRIALS,
        f"{len(failed)} trials failed (limits.maxFailedTrials is {limit}): {_named(failed)}",
    )


def _none_succeeded(job: Job, trials: Sequence[Trial]) -> Completion | None:
    """Return the end of a job whose template is in doubt once nothing is left that could clear it."""
    if not _is_in_doubt(job, trials) or any(not trial.phase.is_final for trial in trials):
        return None
    failed = _failures(job, trials)
    head = (
        f"{len(failed)} trials failed and none reported an epoch: {_named(failed)}. Correct the template in a new job;"
        f" if only the hyperparameters are to blame, set limits.maxFailedTrials to more than {len(failed)} to resume"
        " this one. The last failure: "
    )
    return Completion(CompletionReason.NO_TRIAL_SUCCEEDED, fitting(head, failed[-1].status.message or "no message"))


def _is_in_doubt(job: Job, trials: Sequence[Trial]) -> bool:
    """Whether the template, rather than a trial's hyperparameters, is to blame for the failures.

    `limits.maxFailedTrials` replaces this rule. A trial that was stopped before its first epoch proves nothing, so
    another one gets its chance.
    """
    if job.spec.limits.max_failed_trials is not None or any(trial.curve for trial in trials):
        return False
    stopped = sum(trial.phase is TrialPhase.STOPPED for trial in trials)
    return len(_failures(job, trials)) >= UNPROVEN + stopped


def _failures(job: Job, trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that have failed, or will have once their last measurements arrive: their slots are free."""
    return [
        trial
        for trial in trials
        if trial.phase is TrialPhase.FAILED
        or (trial.training_failed and not trial.status.is_tried_again(job.spec.max_attempts))
    ]


def _named(failed: Sequence[Trial]) -> str:
    named = ", ".join(f"{trial.name} ({trial.status.reason})" for trial in failed[:_NAMED])
    return f"{named} and {len(failed) - _NAMED} more" if len(failed) > _NAMED else named


def _all_trials_ended(job: Job, trials: Sequence[Trial], known: Sequence[Observation]) -> Completion | None:
    if any(not trial.phase.is_final for trial in trials):
        return None
    left = untried(job, trials, known)
    if left is not None and left <= 0:
        size = job.spec.space.size
        return Completion(CompletionReason.SPACE_EXHAUSTED, f"all {size} points of the search space have been tried")
    if len(trials) >= job.spec.limits.max_trials:
        return Completion(CompletionReason.MAX_TRIALS, f"all {len(trials)} trials have ended")
    return None


def _without_improvement(job: Job, trials: Sequence[Trial], now: datetime) -> Completion | None:
    """Count, in the order of their ends, the trials since the last improvement.

    Failed trials say nothing about the objective, and neither do those that a suspension cut short. Once this has ended
    a job, not even a better result of the trials that ran then resumes it.
    """
    ended_by_it = job.completion_reason is CompletionReason.NO_IMPROVEMENT
    limit = job.spec.completion.max_trials_without_improvement
    if limit is None:
        return None
    best, since = None, 0
    with_objective = (trial for trial in trials if trial.objective is not None)
    for trial in sorted(with_objective, key=lambda trial: (trial.status.completion_time or now, trial.number)):
        if _improves(job, trial, best):
            best, since = trial, 0
        elif trial.phase is not TrialPhase.STOPPED:
            since += 1
        if ended_by_it and limit <= since:
            break
    if since < limit:
        return None
    last = f"since {best.name} with {best.objective:.6g}" if best else "from the first trial on"
    return Completion(
        CompletionReason.NO_IMPROVEMENT,
        f"{since} trials ended without an improvement {last} (completion.maxTrialsWithoutImprovement is {limit})",
    )


def _improves(job: Job, trial: Trial, best: Trial | None) -> bool:
    """Whether a trial is better than the last improvement by a share of that one's absolute value."""
    orient = job.spec.objective.goal.orient
    value = orient(trial.objective) if trial.objective is not None else -math.inf
    if best is None or best.objective is None:
        return value > -math.inf
    before = orient(best.objective)
    return value > before and value - before >= job.spec.completion.improvement_threshold * abs(before)


def _converged(job: Job, trials: Sequence[Trial]) -> Completion | None:
    """Whether the model expected too little of the last suggested trials in a row, and enough of them have ended.

    The next expectation includes their results: one hopeful suggestion restarts the count.
    """
    tolerance = job.spec.completion.tolerance
    if tolerance is None:
        return None
    newest_first = sorted(trials, key=lambda trial: -trial.number)
    row = list(itertools.takewhile(lambda trial: trial.expected_gain < tolerance, newest_first))
    ended = sum(trial.objective is not None for trial in row)
    if ended < LOW_GAINS:
        return None
    most = max(trial.expected_gain for trial in row)
    return Completion(
        CompletionReason.CONVERGED,
        f"the model expected the last {len(row)} trials to gain at most {most:.3g} of the observed range"
        f" (completion.onConvergence.tolerance is {tolerance:g}), and {ended} of them have ended",
    )
