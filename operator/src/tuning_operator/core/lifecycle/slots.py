"""Decides who holds a slot, who waits for one, which Pods hold one for nothing, and when time alone changes that."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.advance import report_due, retry_delay
from tuning_operator.core.lifecycle.nodes import MAKING
from tuning_operator.core.model.spec import PodCleanup
from tuning_operator.core.model.trial import Trial, TrialPhase

if TYPE_CHECKING:
    from datetime import datetime

    from tuning_operator.core.model.attempt import PodFacts
    from tuning_operator.core.model.snapshot import Snapshot

LOOK_AGAIN = timedelta(seconds=5)
"""After this time what nothing announces is looked for."""


def held_slots(snapshot: Snapshot) -> int:
    """Slots that Pods hold: a Pod holds its GPU until its containers have ended, also while it is being deleted."""
    return sum(not pod.ended for pods in snapshot.pods.values() for pod in pods)


def free_slots(snapshot: Snapshot) -> int:
    """Slots that no Pod holds."""
    return max(0, snapshot.job.spec.limits.max_parallel_trials - held_slots(snapshot))


def trials_without_pod(trials: tuple[Trial, ...], snapshot: Snapshot) -> tuple[Trial, ...]:
    """Trials that are committed and wait for the Pod of their current attempt to be created."""
    return tuple(
        trial
        for trial in trials
        if trial.phase is TrialPhase.PENDING
        and trial.status.pod_uid is None
        and not trial.deleting
        and snapshot.pod(trial) is None
    )


def retries_to_come(trials: tuple[Trial, ...], max_attempts: int) -> int:
    """Trials whose training has failed, whose last measurements are being fetched, and which will be tried again."""
    return sum(trial.training_failed and trial.status.is_tried_again(max_attempts) for trial in trials)


def is_due(trial: Trial, now: datetime) -> bool:
    """Whether a trial's next attempt has waited long enough after those before it."""
    since = trial.status.attempt_time
    return since is None or now - since >= retry_delay(trial.status.attempt - 1)


def leftover_pods(snapshot: Snapshot, trials: tuple[Trial, ...]) -> tuple[PodFacts, ...]:
    """Pods of a stopping or ended trial, or of an attempt that has been replaced.

    While their containers run they hold resources for nothing; afterwards only logs, which the job may not want.
    """
    also_ended = snapshot.job.spec.pod_cleanup is PodCleanup.DELETE
    return tuple(
        pod
        for trial in trials
        for pod in snapshot.pods.get(trial.name, ())
        if (also_ended or not pod.ended)
        and not pod.deleting
        and (trial.phase.is_final or trial.phase is TrialPhase.STOPPING or pod.attempt != trial.status.attempt)
    )


def wake_after(snapshot: Snapshot, trials: tuple[Trial, ...]) -> timedelta | None:
    """The next moment at which time alone changes the decision, or at which to look whether a slot has become free.

    The latter is in case that the list of Pods lagged behind what had already been told.
    """
    job, now = snapshot.job, snapshot.now
    moments = [
        trial.status.attempt_time + retry_delay(trial.status.attempt - 1)
        for trial in trials
        if trial.phase is TrialPhase.PENDING and trial.status.attempt_time
    ]
    moments += [
        pod.making_since + snapshot.image_pull_grace
        for pods in snapshot.pods.values()
        for pod in pods
        if pod.waiting and pod.waiting.is_image_problem and not pod.started
    ]
    moments += [pod.created + MAKING for pods in snapshot.pods.values() for pod in pods if pod.missing]
    silent = (trial.status for trial in trials if trial.phase is TrialPhase.RUNNING and not trial.curve)
    dues = (report_due(status, snapshot.metrics_since, job.spec.start_deadline) for status in silent)
    moments += [max(due, now) + LOOK_AGAIN for due in dues if due]  # the answer that decides is asked for meanwhile
    if job.start_time and job.spec.limits.max_duration:
        moments.append(job.start_time + job.idle + job.spec.limits.max_duration)
    ahead = [moment - now for moment in moments if moment > now]
    if len(trials_without_pod(trials, snapshot)) > free_slots(snapshot):
        ahead.append(LOOK_AGAIN)
    return min(ahead, default=None)
