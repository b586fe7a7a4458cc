"""Decides when a training has had its time: to report a first value, and to train."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.attempts import failed
from tuning_operator.core.lifecycle.times import run_time
from tuning_operator.core.model.trial import TIME_LIMIT, StopDecision, TrialPhase

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from tuning_operator.core.lifecycle.facts import TrialFacts
    from tuning_operator.core.model.trial import TrialStatus


def report_due(status: TrialStatus, metrics_since: datetime | None, deadline: timedelta | None) -> datetime | None:
    """Return when a training that has reported nothing fails, by an answer that is asked for then or later.

    Time in which Prometheus did not answer, as far as is known, does not count: a value may have been missed.
    """
    if deadline is None or metrics_since is None or status.start_time is None:
        return None
    return max(status.start_time, metrics_since) + deadline


def silent(status: TrialStatus, facts: TrialFacts) -> TrialStatus | None:
    """Fail a training that has reported nothing by its deadline; None while it may, or while nothing is known."""
    due = report_due(status, facts.metrics_since, facts.start_deadline)
    asked = facts.reading.asked if facts.reading else None
    deleting = facts.attempt is not None and facts.attempt.deleting
    if due is None or asked is None or asked < due or status.curve or deleting:
        return None
    seconds = status.training_seconds + run_time(status, facts.attempt, facts.now)
    status = replace(status, completion_time=facts.now, training_seconds=seconds)
    message = (
        f"no value of the objective within {facts.start_deadline} (spec.metrics.startDeadline): check that the training"
        " reports a metric with exactly this name and that Prometheus scrapes its Pod; raise the deadline if the first"
        " epoch takes longer"
    )
    return failed(status, "NoMetricsReported", message, facts)


def at_deadline(status: TrialStatus, facts: TrialFacts) -> TrialStatus | None:
    """Stop a training whose time is up; None while it has time, or ends anyway."""
    limit = facts.max_duration
    deleting = facts.attempt is not None and facts.attempt.deleting
    if limit is None or deleting or status.seconds(facts.now) < limit.total_seconds():
        return None
    message = f"the trial has trained for {limit} (limits.maxTrialDuration)"
    stop = StopDecision(TIME_LIMIT, message)
    return replace(status, phase=TrialPhase.STOPPING, stop=stop, reason=stop.reason, message=message)
