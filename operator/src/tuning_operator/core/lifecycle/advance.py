"""Decides how a trial moves on: from what its Pod and Prometheus show to its next status.

One function for each phase; each returns the new status. Early stopping and the end of the job come from elsewhere,
as a stop decision in the status; here it is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.model.conditions import fitting
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from datetime import datetime

    from tuning_operator.core.model.attempt import Exit, PodFacts, Reading
    from tuning_operator.core.model.trial import Trial, TrialStatus


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """Everything that was observed about a trial.

    Attributes:
        pod: The current attempt's Pod; None when there is none.
        reading: Prometheus' answer about that Pod; None when it is not known.
        max_attempts: How often the training may fail until its trial has.
        start_deadline: How long a training may run without having reported anything; None for ever.
        metrics_since: From when on Prometheus has answered; None while it does not.
        settle: Take the measurements that are known as final (the job ends and Prometheus does not answer).
    """

    pod: PodFacts | None
    reading: Reading | None
    now: datetime
    image_pull_grace: timedelta
    max_attempts: int = 1
    start_deadline: timedelta | None = None
    metrics_since: datetime | None = None
    settle: bool = False


def advance(trial: Trial, facts: TrialFacts) -> TrialStatus:
    """Return the status of a trial that has not ended, moved on by what was observed."""
    status = _learn(trial.status, facts)
    if status.phase is TrialPhase.STOPPING:
        return _stopping(status, facts)
    if status.phase is TrialPhase.COLLECTING:
        return _collecting(status, facts)
    if facts.pod is None:
        return _without_pod(status, facts)
    return _with_pod(status, facts.pod, facts)


def retry_delay(attempts: int) -> timedelta:
    """Wait before the next attempt: none after the first one, then 10 s doubling up to 5 min."""
    if attempts <= 1:
        return timedelta(0)
    return timedelta(seconds=min(300, 10 * 2 ** (min(attempts, 10) - 2)))


def report_due(status: TrialStatus, metrics_since: datetime | None, deadline: timedelta | None) -> datetime | None:
    """When a training that has reported nothing yet is given up, by an answer that is asked for then or later.

    Time in which Prometheus did not answer, as far as is known, does not count: a value may have been missed.
    """
    if deadline is None or metrics_since is None or status.start_time is None:
        return None
    return max(status.start_time, metrics_since) + deadline


def next_attempt(status: TrialStatus, reason: str, what: str, now: datetime) -> TrialStatus:
    """Have the training started anew. Its epochs so far stay known: it may go on from a checkpoint."""
    attempt = status.attempt + 1
    return replace(
        status,
        phase=TrialPhase.PENDING,
        attempt=attempt,
        attempt_time=now,
        pod_uid=None,
        reporter=None,
        start_time=None,
        completion_time=None,
        reason=reason,
        message=f"attempt {status.attempt} {what}; attempt {attempt} follows",
    )


def _learn(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    """Add the newly seen epochs to the curve: what is known stays, whatever comes later.

    A Pod that has not been seen yet has measured nothing: what is told of it is about an earlier Pod of its name.
    """
    curve = status.curve
    if facts.reading and (facts.pod or status.pod_uid):
        curve = curve.merge(facts.reading.curve)
    metrics = status.metrics
    if facts.pod and facts.pod.history:
        curve = curve.merge(facts.pod.history.curve)
        metrics = facts.pod.history.metrics
    if curve is status.curve and metrics == status.metrics:
        return status
    return replace(status, curve=curve, metrics=metrics)


def _without_pod(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    if status.pod_uid is None:
        return status  # committed, its Pod is yet to be created
    return _disrupted(status, "PodLost", "its Pod disappeared", facts)


def _with_pod(status: TrialStatus, pod: PodFacts, facts: TrialFacts) -> TrialStatus:
    status = replace(
        status,
        pod_uid=pod.uid,
        reporter=pod.reporter or status.reporter,
        start_time=_start_time(status, pod, facts.now),
    )
    if pod.exit is not None:
        return _ended(status, pod, pod.exit, facts)
    if pod.missing and status.start_time is not None:
        return _disrupted(status, "PodLost", "a Pod of it disappeared", facts)
    if pod.started is not None:
        return _silent(status, facts) or replace(status, phase=TrialPhase.RUNNING, reason=None, message=None)
    if pod.waiting and pod.waiting.is_image_problem and facts.now - pod.making_since >= facts.image_pull_grace:
        return replace(
            status,
            phase=TrialPhase.FAILED,
            completion_time=facts.now,
            reason=pod.waiting.reason,
            message=f"the container could not be made for {facts.image_pull_grace}: {pod.waiting.message}",
        )
    waiting = pod.waiting
    return replace(
        status,
        phase=TrialPhase.PENDING,
        reason=waiting.reason if waiting else None,
        message=waiting.message if waiting else None,
    )


def _ended(status: TrialStatus, pod: PodFacts, ending: Exit, facts: TrialFacts) -> TrialStatus:
    """The training container has ended: by itself, by its own fault, or by the cluster's."""
    if pod.cut_short or (pod.disruption and not ending.succeeded):
        return _disrupted(status, "Disrupted", pod.disruption or "somebody deleted its Pod", facts)
    collecting = replace(
        status,
        phase=TrialPhase.COLLECTING,
        completion_time=pod.finished or facts.now,
        training_seconds=status.training_seconds + _run_time(status, facts),
        reason=None if ending.succeeded else ending.reason,
        message=None if ending.succeeded else ending.message,
    )
    return _collecting(collecting, facts)


def _disrupted(status: TrialStatus, reason: str, why: str, facts: TrialFacts) -> TrialStatus:
    """The attempt ended through no fault of the training: another one follows, however many there were."""
    seconds = status.training_seconds + _run_time(status, facts)
    status = replace(status, disruptions=status.disruptions + 1, training_seconds=seconds)
    return next_attempt(status, reason, f"was disrupted ({why})", facts.now)


def _failed(status: TrialStatus, reason: str, message: str, facts: TrialFacts) -> TrialStatus:
    """The training failed: another attempt follows, unless this was the last one."""
    is_tried_again = status.is_tried_again(facts.max_attempts)
    status = replace(status, failures=status.failures + 1)
    if is_tried_again:
        return next_attempt(status, "AttemptFailed", f"failed ({reason}: {message})", facts.now)
    if facts.max_attempts > 1:
        message = fitting(f"failed {status.failures} times, as often as spec.retry allows; the last time: ", message)
    return replace(status, phase=TrialPhase.FAILED, reason=reason, message=message)


def _silent(status: TrialStatus, facts: TrialFacts) -> TrialStatus | None:
    """Give up a training that has reported nothing by its deadline; None while there is hope, or no telling."""
    due = report_due(status, facts.metrics_since, facts.start_deadline)
    asked = facts.reading.asked if facts.reading else None
    deleting = facts.pod is not None and facts.pod.deleting
    if due is None or asked is None or asked < due or status.curve or deleting:
        return None
    seconds = status.training_seconds + _run_time(status, facts)
    status = replace(status, completion_time=facts.now, training_seconds=seconds)
    message = (
        f"nothing was reported for the objective within {facts.start_deadline} (spec.metrics.startDeadline): see to it"
        " that the training reports a metric of exactly this name and that Prometheus scrapes its Pod, or raise the"
        " deadline if the first epoch takes longer"
    )
    return _failed(status, "NoMetricsReported", message, facts)


def _collecting(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    """Finish once nothing can follow: the complete history, or an answer that was asked for after the end."""
    history = facts.pod.history if facts.pod else None
    known = (history is not None and history.complete) or (facts.reading is not None and facts.reading.after_end)
    if not known and not facts.settle:
        return status
    if status.reason is not None:
        return _failed(status, status.reason, status.message or "", facts)
    if status.curve:
        return replace(status, phase=TrialPhase.COMPLETED)
    if not known:
        why = "the job ended while Prometheus did not answer: whether the training reported the objective is not known"
        return replace(status, phase=TrialPhase.FAILED, reason="MetricsUnknown", message=why)
    reported = ", ".join(history.metrics) if history and history.metrics else "none"
    why = f"the training ended without reporting the objective (metrics in its termination message: {reported})"
    return replace(status, phase=TrialPhase.FAILED, reason="NoMetrics", message=why)


def _stopping(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    """A stop is recorded: it is done once the Pod holds nothing any more."""
    pod = facts.pod
    if pod is not None and not pod.ended:
        return status
    early = status.stop is not None and status.stop.epoch is not None
    return replace(
        status,
        phase=TrialPhase.EARLY_STOPPED if early else TrialPhase.STOPPED,
        completion_time=pod.finished if pod and pod.finished else facts.now,
        training_seconds=status.training_seconds + _run_time(status, facts),
    )


def _start_time(status: TrialStatus, pod: PodFacts, now: datetime) -> datetime | None:
    """When the training started: by its node's clock, as far as the API server's clock and ours can believe it."""
    if status.start_time or pod.started is None:
        return status.start_time
    return max(pod.created, min(pod.started, now))


def _run_time(status: TrialStatus, facts: TrialFacts) -> int:
    """Seconds that the current attempt trained; up to now when its end was not seen (its node or its Pod is gone)."""
    pod = facts.pod
    if pod and pod.started and pod.finished:  # two times of the same clock
        began, end = pod.started, pod.finished
    elif status.start_time:
        began, end = status.start_time, facts.now
    else:
        return 0
    return round(max(0.0, (end - began).total_seconds()))
