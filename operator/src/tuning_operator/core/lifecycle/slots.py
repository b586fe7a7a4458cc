"""Decides who holds a slot, who waits for one, which Pods hold one for nothing, and when time alone changes that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.attempts import next_attempt, retry_delay
from tuning_operator.core.lifecycle.budget import spent_at
from tuning_operator.core.lifecycle.deadlines import report_due
from tuning_operator.core.lifecycle.nodes import MAKING
from tuning_operator.core.model.spec import PodCleanup
from tuning_operator.core.model.trial import Trial, TrialPhase, searched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.snapshot import Snapshot

LOOK_AGAIN = timedelta(seconds=5)
"""After this time what nothing announces is looked for."""

COMPANY = timedelta(seconds=10)
"""How long other containers may run after a training's end, if its Pod is kept."""

_WITHOUT_POD = frozenset({TrialPhase.STOPPING, TrialPhase.PAUSED})

NAME_TAKEN = "NameTaken"
"""Reason of a trial whose attempt could not begin since somebody else's object has its name."""


def held_slots(snapshot: Snapshot) -> int:
    """Slots that Pods hold: a Pod holds its GPU until its containers have ended, also while it is being deleted."""
    return sum(not attempt.ended for attempts in snapshot.attempts.values() for attempt in attempts)


def free_slots(snapshot: Snapshot) -> int:
    """Slots that no Pod holds."""
    return max(0, snapshot.job.spec.limits.max_parallel_trials - held_slots(snapshot))


def trials_without_attempt(trials: tuple[Trial, ...], snapshot: Snapshot) -> tuple[Trial, ...]:
    """Trials that are committed and wait for the Pod of their current attempt to be created."""
    return tuple(
        trial
        for trial in trials
        if trial.phase is TrialPhase.PENDING
        and trial.status.attempt_uid is None
        and not trial.deleting
        and snapshot.attempt(trial) is None
    )


def retries_to_come(trials: tuple[Trial, ...], max_attempts: int) -> int:
    """Trials whose training has failed, whose last measurements are being fetched, and which will be tried again."""
    return sum(trial.training_failed and trial.status.is_tried_again(max_attempts) for trial in trials)


def is_due(trial: Trial, now: datetime) -> bool:
    """Whether a trial's next attempt has waited long enough after those before it."""
    since = trial.status.attempt_time
    return since is None or now - since >= retry_delay(trial.status.setbacks)


def with_name_taken(trial: Trial, kind: str, now: datetime) -> Trial:
    """Have a trial take its next attempt, and with it another name, since this one's is somebody else's.

    That costs the trial nothing but time, and no other trial waits for it.
    """
    status = replace(trial.status, disruptions=trial.status.disruptions + 1)
    name = trial.attempt_name
    what = f"could not start: {kind} {name} exists, but this operator did not create it; find out who did, and"
    what += f" delete it (kubectl delete {kind.lower()} {name})"
    return replace(trial, status=next_attempt(status, NAME_TAKEN, what, now))


def leftover_attempts(snapshot: Snapshot, trials: tuple[Trial, ...]) -> tuple[Attempt, ...]:
    """Pods of a stopping or ended trial, or of an attempt that has been replaced.

    While their containers run they hold resources for nothing; afterwards only logs, which the job may not want. Where
    it does, what runs beside a training gets some time to end as well.
    """
    also_ended = snapshot.job.spec.pod_cleanup is PodCleanup.DELETE
    return tuple(
        attempt
        for trial in trials
        for attempt in snapshot.attempts.get(trial.name, ())
        if (also_ended or not attempt.ended)
        and not attempt.deleting
        and (trial.phase.is_final or trial.phase in _WITHOUT_POD or attempt.number != trial.status.attempt)
        and not is_left_company(snapshot, trial, attempt)
    )


def has_company(job: Job, trial: Trial, attempt: Attempt) -> bool:
    """Whether a training that ended by itself, in a Pod to keep, left another container running."""
    by_itself = trial.phase in {TrialPhase.COMPLETED, TrialPhase.FAILED} and attempt.number == trial.status.attempt
    keep = job.spec.pod_cleanup is PodCleanup.KEEP and attempt.reporter is None
    return keep and by_itself and attempt.exit is not None and not attempt.ended


def is_left_company(snapshot: Snapshot, trial: Trial, attempt: Attempt) -> bool:
    """Whether such a container may still end by itself."""
    end = trial.status.completion_time
    return has_company(snapshot.job, trial, attempt) and end is not None and snapshot.now - end < COMPANY


def company_ends(snapshot: Snapshot, trials: Sequence[Trial]) -> list[datetime]:
    """When the time of these containers is over."""
    return [
        trial.status.completion_time + COMPANY
        for trial in trials
        for attempt in snapshot.attempts.get(trial.name, ())
        if trial.status.completion_time and has_company(snapshot.job, trial, attempt) and not attempt.deleting
    ]


def wake_after(snapshot: Snapshot, trials: tuple[Trial, ...]) -> timedelta | None:
    """The next moment at which time alone changes the decision, or at which to look whether a slot has become free.

    The latter is in case that the list of Pods lags behind what is already known.
    """
    job, now = snapshot.job, snapshot.now
    moments = [
        trial.status.attempt_time + retry_delay(trial.status.setbacks)
        for trial in trials
        if trial.phase is TrialPhase.PENDING and trial.status.attempt_time
    ]
    moments += [
        attempt.making_since + snapshot.image_pull_grace
        for attempts in snapshot.attempts.values()
        for attempt in attempts
        if attempt.waiting and attempt.waiting.is_image_problem and not attempt.started
    ]
    moments += [
        attempt.created + MAKING for attempts in snapshot.attempts.values() for attempt in attempts if attempt.missing
    ]
    silent = (trial.status for trial in trials if trial.phase is TrialPhase.RUNNING and not trial.curve)
    dues = (report_due(status, snapshot.metrics_since, job.spec.start_deadline) for status in silent)
    moments += [max(due, now) + LOOK_AGAIN for due in dues if due]  # the answer that decides is asked for meanwhile
    moments += company_ends(snapshot, trials)
    if job.start_time and job.spec.limits.max_duration:
        moments.append(job.start_time + job.idle + job.spec.limits.max_duration)
    if job.spec.limits.max_trial_duration:
        longest = job.spec.limits.max_trial_duration.total_seconds()
        running = (trial.status for trial in trials if trial.phase is TrialPhase.RUNNING)
        moments += [now + timedelta(seconds=longest - status.seconds(now)) for status in running]
    budget = spent_at(job, trials, now)
    moments += [budget] if budget else []
    ahead = [moment - now for moment in moments if moment > now]
    if len(trials_without_attempt(trials, snapshot)) > free_slots(snapshot):
        ahead.append(LOOK_AGAIN)
    return min(ahead, default=None)


def may_add(job: Job, trials: Sequence[Trial]) -> bool:
    """Whether a trial may be added as far as the job's limits tell."""
    limits, tried = job.spec.limits, len(searched(trials))
    unfinished = sum(not trial.phase.is_final and trial.phase is not TrialPhase.PAUSED for trial in trials)
    return not job.spec.suspend and unfinished < limits.max_parallel_trials and tried < limits.max_trials
