"""Decides what follows the end of an attempt: another one, or the failure of the trial."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.times import run_time
from tuning_operator.core.model.conditions import fitting
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from datetime import datetime

    from tuning_operator.core.lifecycle.facts import TrialFacts
    from tuning_operator.core.model.trial import TrialStatus

RESUMED = "Resumed"
"""Reason of a trial that was paused and continues."""


def retry_delay(attempts: int) -> timedelta:
    """Wait before the next attempt: none after the first one, then 10 s doubling up to 5 min."""
    if attempts <= 1:
        return timedelta(0)
    return timedelta(seconds=min(300, 10 * 2 ** (min(attempts, 10) - 2)))


def next_attempt(status: TrialStatus, reason: str, what: str, now: datetime) -> TrialStatus:
    """Restart the training. Its epochs so far stay known: it may continue from a checkpoint."""
    attempt = status.attempt + 1
    return replace(
        status,
        phase=TrialPhase.PENDING,
        attempt=attempt,
        attempt_time=now,
        attempt_uid=None,
        reporter=None,
        start_time=None,
        completion_time=None,
        reason=reason,
        message=f"attempt {status.attempt} {what}; attempt {attempt} follows",
    )


def resumed(status: TrialStatus, now: datetime) -> TrialStatus:
    """Resume a paused training from its checkpoint."""
    epoch = status.pause.epoch if status.pause else None
    latest = status.curve.latest
    status = replace(status, resumptions=status.resumptions + 1, resume_epoch=latest.epoch if latest else None)
    return next_attempt(status, RESUMED, f"was paused at epoch {epoch}", now)


def disrupted(status: TrialStatus, reason: str, why: str, facts: TrialFacts) -> TrialStatus:
    """Follow an attempt that ended through no fault of the training by another one, however many there were."""
    seconds = status.training_seconds + run_time(status, facts.attempt, facts.now)
    status = replace(status, disruptions=status.disruptions + 1, training_seconds=seconds)
    return next_attempt(status, reason, f"was disrupted ({why})", facts.now)


def failed(status: TrialStatus, reason: str, message: str, facts: TrialFacts) -> TrialStatus:
    """Follow a failed attempt by another one, or let the trial fail if it was the last."""
    is_tried_again = status.is_tried_again(facts.max_attempts)
    status = replace(status, failures=status.failures + 1)
    if is_tried_again:
        return next_attempt(status, "AttemptFailed", f"failed ({reason}: {message})", facts.now)
    if facts.max_attempts > 1:
        message = fitting(f"failed {status.failures} times, the limit of spec.retry; the last time: ", message)
    return replace(status, phase=TrialPhase.FAILED, reason=reason, message=message)
