"""Decides how a trial moves on: from what its Pod and Prometheus show to its next status.

One function for each phase; each returns the new status. Early stopping and the end of the job come from elsewhere,
as a stop decision in the status; here it is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.trials import TrialPhase

if TYPE_CHECKING:
    from datetime import datetime

    from tuning_operator.core.pods import Exit, PodFacts, Reading
    from tuning_operator.core.trials import Trial, TrialStatus


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """Everything that was observed about a trial.

    Attributes:
        pod: The current attempt's Pod; None when there is none.
        reading: Prometheus' answer about that Pod; None when it is not known.
        settle: Take the measurements that are known as final (the job ends and Prometheus does not answer).
    """

    pod: PodFacts | None
    reading: Reading | None
    now: datetime
    image_pull_grace: timedelta
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


def retry_delay(disruptions: int) -> timedelta:
    """Wait before the next attempt: none after the first disruption, then 10 s doubling up to 5 min."""
    if disruptions <= 1:
        return timedelta(0)
    return timedelta(seconds=min(300, 10 * 2 ** (min(disruptions, 10) - 2)))


def _learn(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    """Add the newly seen epochs to the curve: what is known stays, whatever comes later.

    A Pod that has not been seen yet has measured nothing: what is told of it is about an earlier Pod of its name.
    """
    curve = status.curve
    if facts.reading and (facts.pod or status.pod_uid):
        curve = curve.merge(facts.reading.curve)
    if facts.pod and facts.pod.history:
        curve = curve.merge(facts.pod.history.curve)
    return replace(status, curve=curve) if curve is not status.curve else status


def _without_pod(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    if status.pod_uid is None:
        return status  # committed, its Pod is yet to be created
    return _next_attempt(status, "PodLost", "its Pod disappeared", _run_time(status, facts), facts.now)


def _with_pod(status: TrialStatus, pod: PodFacts, facts: TrialFacts) -> TrialStatus:
    status = replace(status, pod_uid=pod.uid, start_time=pod.started or status.start_time)
    if pod.exit is not None:
        return _ended(status, pod, pod.exit, facts)
    if pod.waiting and pod.waiting.is_image_problem and facts.now - pod.created >= facts.image_pull_grace:
        return replace(
            status,
            phase=TrialPhase.FAILED,
            completion_time=facts.now,
            reason=pod.waiting.reason,
            message=f"the image could not be pulled for {facts.image_pull_grace}: {pod.waiting.message}",
        )
    if pod.started is not None:
        return replace(status, phase=TrialPhase.RUNNING, reason=None, message=None)
    waiting = pod.waiting
    return replace(
        status,
        phase=TrialPhase.PENDING,
        reason=waiting.reason if waiting else None,
        message=waiting.message if waiting else None,
    )


def _ended(status: TrialStatus, pod: PodFacts, ending: Exit, facts: TrialFacts) -> TrialStatus:
    """The training container has ended: by itself, by its own fault, or by the cluster's."""
    if _was_cut_short(pod, ending) or (pod.disruption and not ending.succeeded):
        why = pod.disruption or "somebody deleted its Pod"
        return _next_attempt(status, "Disrupted", why, _run_time(status, facts), facts.now)
    collecting = replace(
        status,
        phase=TrialPhase.COLLECTING,
        completion_time=pod.finished or facts.now,
        training_seconds=status.training_seconds + _run_time(status, facts),
        reason=None if ending.succeeded else ending.reason,
        message=None if ending.succeeded else ending.message,
    )
    return _collecting(collecting, facts)


def _was_cut_short(pod: PodFacts, ending: Exit) -> bool:
    """Whether somebody deleted the Pod before its training ended.

    Kubernetes' times are whole seconds: within the same second a success is believed, and a failure is taken for the
    deletion's effect.
    """
    if pod.deletion_requested is None:
        return False
    if pod.finished is None or pod.finished > pod.deletion_requested:
        return True
    return pod.finished == pod.deletion_requested and not ending.succeeded


def _next_attempt(status: TrialStatus, reason: str, why: str, ran: int, now: datetime) -> TrialStatus:
    attempt = status.attempt + 1
    return replace(
        status,
        phase=TrialPhase.PENDING,
        attempt=attempt,
        attempt_time=now,
        pod_uid=None,
        start_time=None,
        disruptions=status.disruptions + 1,
        training_seconds=status.training_seconds + ran,
        reason=reason,
        message=f"attempt {status.attempt} was disrupted ({why}); attempt {attempt} follows",
    )


def _collecting(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    """Finish once nothing can follow: the complete history, or an answer that was asked for after the end."""
    history = facts.pod.history if facts.pod else None
    known = (
        (history is not None and history.complete)
        or (facts.reading is not None and facts.reading.after_end)
        or facts.settle
    )
    if not known:
        return status
    if status.reason is not None:
        return replace(status, phase=TrialPhase.FAILED)
    if not status.curve:
        reported = ", ".join(history.metrics) if history and history.metrics else "none"
        return replace(
            status,
            phase=TrialPhase.FAILED,
            reason="NoMetrics",
            message="the training ended without reporting the objective"
            f" (metrics in its termination message: {reported})",
        )
    return replace(status, phase=TrialPhase.COMPLETED)


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


def _run_time(status: TrialStatus, facts: TrialFacts) -> int:
    """Seconds that the current attempt trained; up to now when its end was not seen (its node or its Pod is gone)."""
    pod = facts.pod
    began = pod.started if pod and pod.started else status.start_time
    end = pod.finished if pod and pod.finished else facts.now
    return round(max(0.0, (end - began).total_seconds())) if began else 0
