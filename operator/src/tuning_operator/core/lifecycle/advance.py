"""Decides how a trial moves on: from what its Pod and Prometheus show to its next status.

One function for each phase; each returns the new status. Early stopping and the end of the job come from elsewhere,
as a stop decision in the status; here it is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.lifecycle.wording import (
    SCRAPING_TROUBLES,
    log_trouble,
    scraping_trouble,
    without_objective,
)
from tuning_operator.core.model.attempt import Scraping
from tuning_operator.core.model.conditions import fitting
from tuning_operator.core.model.trial import TIME_LIMIT, StopDecision, TrialPhase

if TYPE_CHECKING:
    from datetime import datetime

    from tuning_operator.core.model.attempt import Attempt, Exit, Reading
    from tuning_operator.core.model.sources import Gauges, LogFile
    from tuning_operator.core.model.trial import Trial, TrialStatus


RESUMED = "Resumed"
"""Reason of a trial that was paused and goes on."""


@dataclass(frozen=True, slots=True)
class TrialFacts:
    """Everything that was observed about a trial.

    Attributes:
        attempt: The current attempt's Pod; None when there is none.
        reading: Prometheus' answer about that Pod; None when it is not known.
        max_attempts: How often the training may fail until its trial has.
        start_deadline: How long a training may run without having reported anything; None for ever.
        max_duration: How long the trial may train, in all its attempts; None for ever.
        metrics_since: From when on Prometheus has answered; None while it does not.
        settle: Take the measurements that are known as final (the job ends and Prometheus does not answer).
        longest: The last epoch of the longest training that was completed; None where none was.
        source: Where measurements are read from; None for the metrics contract.
    """

    attempt: Attempt | None
    reading: Reading | None
    now: datetime
    image_pull_grace: timedelta
    max_attempts: int = 1
    start_deadline: timedelta | None = None
    max_duration: timedelta | None = None
    metrics_since: datetime | None = None
    settle: bool = False
    longest: float | None = None
    source: Gauges | LogFile | None = None


def advance(trial: Trial, facts: TrialFacts) -> TrialStatus:
    """Return the status of a trial that has not ended, moved on by what was observed."""
    if trial.phase is TrialPhase.PAUSED:
        return trial.status
    status = _learn(trial.status, facts)
    if status.phase is TrialPhase.STOPPING:
        return _stopping(status, facts)
    if status.phase is TrialPhase.COLLECTING:
        return _collecting(status, facts)
    if facts.attempt is None:
        return _without_attempt(status, facts)
    return _with_attempt(status, facts.attempt, facts)


def retry_delay(attempts: int) -> timedelta:
    """Wait before the next attempt: none after the first one, then 10 s doubling up to 5 min."""
    if attempts <= 1:
        return timedelta(0)
    return timedelta(seconds=min(300, 10 * 2 ** (min(attempts, 10) - 2)))


def resumed(status: TrialStatus, now: datetime) -> TrialStatus:
    """Have a paused training go on from its checkpoint."""
    epoch = status.pause.epoch if status.pause else None
    latest = status.curve.latest
    status = replace(status, resumptions=status.resumptions + 1, resume_epoch=latest.epoch if latest else None)
    return next_attempt(status, RESUMED, f"was paused at epoch {epoch}", now)


def report_due(status: TrialStatus, metrics_since: datetime | None, deadline: timedelta | None) -> datetime | None:
    """When a training that has reported nothing yet is given up, by an answer that is asked for then or later.

    Time in which Prometheus did not answer, as far as is known, does not count: a value may have been missed.
    """
    if deadline is None or metrics_since is None or status.start_time is None:
        return None
    return max(status.start_time, metrics_since) + deadline


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


def _learn(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    """Add the newly seen epochs to the curve: what is known stays, whatever comes later.

    A Pod that has not been seen yet has measured nothing: what is told of it is about an earlier Pod of its name.
    """
    status = _with_repetitions(status, facts)
    curve = status.curve
    if facts.reading and (facts.attempt or status.attempt_uid):
        curve = curve.merge(facts.reading.curve)
    metrics = status.metrics
    if facts.attempt and facts.attempt.history:
        curve = curve.merge(facts.attempt.history.curve)
        metrics = facts.attempt.history.metrics
    if curve is status.curve and metrics == status.metrics:
        return status
    return replace(status, curve=curve, metrics=metrics)


def _with_repetitions(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    """Count what a resumed training trains again, once it has reported for the first time.

    It may have resumed from an older checkpoint than that of its last known epoch, or from none.
    """
    history = facts.attempt.history if facts.attempt else None
    told = facts.reading.curve if facts.reading and (facts.attempt or status.attempt_uid) else None
    latest = (told.latest if told else None) or (history.curve.latest if history else None)
    if status.resume_epoch is None or latest is None:
        return status
    again = int(np.count_nonzero((status.curve.epochs > latest.epoch) & (status.curve.epochs <= status.resume_epoch)))
    return replace(status, resume_epoch=None, repeated_epochs=status.repeated_epochs + again)


def _without_attempt(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    if status.attempt_uid is None:
        return status  # committed, its Pod is yet to be created
    return _disrupted(status, "PodLost", "its Pod disappeared", facts)


def _with_attempt(status: TrialStatus, attempt: Attempt, facts: TrialFacts) -> TrialStatus:
    status = replace(
        status,
        attempt_uid=attempt.uid,
        reporter=attempt.reporter or status.reporter,
        start_time=_start_time(status, attempt, facts.now),
    )
    if attempt.exit is not None:
        return _ended(status, attempt, attempt.exit, facts)
    if attempt.missing and status.start_time is not None:
        return _disrupted(status, "PodLost", "one of its Pods disappeared", facts)
    if attempt.started is not None:
        reason, message = _scraping(status, facts.reading)
        running = replace(status, phase=TrialPhase.RUNNING, reason=reason, message=message)
        return _silent(status, facts) or _at_deadline(running, facts) or running
    if (
        attempt.waiting
        and attempt.waiting.is_image_problem
        and facts.now - attempt.making_since >= facts.image_pull_grace
    ):
        return replace(
            status,
            phase=TrialPhase.FAILED,
            completion_time=facts.now,
            reason=attempt.waiting.reason,
            message=f"the container could not be created for {facts.image_pull_grace}: {attempt.waiting.message}",
        )
    waiting = attempt.waiting
    return replace(
        status,
        phase=TrialPhase.PENDING,
        reason=waiting.reason if waiting else None,
        message=waiting.message if waiting else None,
    )


def _scraping(status: TrialStatus, reading: Reading | None) -> tuple[str, str | None] | tuple[None, None]:
    """Whether Prometheus sees nothing of a training; while that is not known, what was known of it stays."""
    unknown = reading is None or (not reading.curve and reading.scraping is Scraping.UNKNOWN)
    if unknown and status.reason in SCRAPING_TROUBLES:
        return status.reason, status.message
    return scraping_trouble(reading)


def _ended(status: TrialStatus, attempt: Attempt, ending: Exit, facts: TrialFacts) -> TrialStatus:
    """The training container has ended: by itself, by its own fault, or by the cluster's."""
    if attempt.cut_short or (attempt.disruption and not ending.succeeded):
        return _disrupted(status, "Disrupted", attempt.disruption or "somebody deleted its Pod", facts)
    return _over(status, attempt, ending, facts)


def _over(
    status: TrialStatus, attempt: Attempt, ending: Exit, facts: TrialFacts, note: str | None = None
) -> TrialStatus:
    collecting = replace(
        status,
        phase=TrialPhase.COLLECTING,
        completion_time=_completion_time(attempt, facts.now),
        training_seconds=status.training_seconds + _run_time(status, facts),
        reason=None if ending.succeeded else ending.reason,
        message=note if ending.succeeded else ending.message,
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
        message = fitting(f"failed {status.failures} times, the limit of spec.retry; the last time: ", message)
    return replace(status, phase=TrialPhase.FAILED, reason=reason, message=message)


def _silent(status: TrialStatus, facts: TrialFacts) -> TrialStatus | None:
    """Give up a training that has reported nothing by its deadline; None while there is hope, or no telling."""
    due = report_due(status, facts.metrics_since, facts.start_deadline)
    asked = facts.reading.asked if facts.reading else None
    deleting = facts.attempt is not None and facts.attempt.deleting
    if due is None or asked is None or asked < due or status.curve or deleting:
        return None
    seconds = status.training_seconds + _run_time(status, facts)
    status = replace(status, completion_time=facts.now, training_seconds=seconds)
    message = (
        f"no value of the objective within {facts.start_deadline} (spec.metrics.startDeadline): check that the training"
        " reports a metric with exactly this name and that Prometheus scrapes its Pod; raise the deadline if the first"
        " epoch takes longer"
    )
    return _failed(status, "NoMetricsReported", message, facts)


def _at_deadline(status: TrialStatus, facts: TrialFacts) -> TrialStatus | None:
    """Have a training stopped that has trained for as long as it may; None while it has time, or is ended anyway."""
    limit = facts.max_duration
    deleting = facts.attempt is not None and facts.attempt.deleting
    if limit is None or deleting or status.seconds(facts.now) < limit.total_seconds():
        return None
    message = f"the trial has trained for {limit} (limits.maxTrialDuration)"
    stop = StopDecision(TIME_LIMIT, message)
    return replace(status, phase=TrialPhase.STOPPING, stop=stop, reason=stop.reason, message=message)


def _collecting(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    """Finish once nothing can follow: the complete history, or an answer that was asked for after the end."""
    history = facts.attempt.history if facts.attempt else None
    known = (
        (history is not None and history.complete)
        or (facts.reading is not None and facts.reading.after_end)
        or (facts.attempt is not None and facts.attempt.never_started)
    )
    if not known and not facts.settle:
        return status
    if status.reason is not None:
        return _failed(status, status.reason, status.message or "", facts)
    stop = status.stop
    if status.curve:
        told = "; ".join(text for text in (status.message, log_trouble(history)) if text)
        reason = stop.reason if stop else None
        return replace(status, phase=TrialPhase.COMPLETED, reason=reason, message=fitting(told, "") or None)
    if not known:
        why = "the job ended while Prometheus did not answer: it is unknown whether the training reported the objective"
        return replace(status, phase=TrialPhase.FAILED, reason="MetricsUnknown", message=why)
    if stop:
        why = f"{stop.message} and reported no value of the objective: raise the limit, or shorten the first epoch"
        return replace(status, phase=TrialPhase.FAILED, reason=stop.reason, message=why)
    why = without_objective(history, facts.reading, facts.source)
    return replace(status, phase=TrialPhase.FAILED, reason="NoMetrics", message=why)


def _stopping(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    """A stop or a pause is recorded: it is done once the Pod holds nothing any more.

    It is dropped if the training was over when it was to be stopped.
    """
    attempt = facts.attempt
    if attempt is not None and not attempt.ended:
        return status
    if attempt is not None and attempt.exit is not None and _had_ended(status, attempt, facts):
        decision = status.pause if status.is_pausing else status.stop
        note = fitting(
            "the training ended before it could be stopped and counts as completed; dropped decision: ",
            decision.message if decision else "",
        )
        kept = replace(status, stop=None, pause=None if status.is_pausing else status.pause)
        return _over(kept, attempt, attempt.exit, facts, note)
    if status.is_pausing:
        return replace(
            status,
            phase=TrialPhase.PAUSED,
            attempt_uid=None,
            reporter=None,
            start_time=None,
            training_seconds=status.training_seconds + _run_time(status, facts),
        )
    early = status.stop is not None and status.stop.early
    ended = replace(
        status,
        phase=TrialPhase.EARLY_STOPPED if early else TrialPhase.STOPPED,
        completion_time=_completion_time(attempt, facts.now),
        training_seconds=status.training_seconds + _run_time(status, facts),
    )
    if status.stop and status.stop.completes:
        return _collecting(replace(ended, phase=TrialPhase.COLLECTING, reason=None), facts)
    return ended


def _had_ended(status: TrialStatus, attempt: Attempt, facts: TrialFacts) -> bool:
    """Whether a training that was to be stopped ended by itself, with success.

    It may have waited for its last scrape when its Pod was deleted. Others take the signal and end with success, too:
    these have trained less than the longest one, unless they ended before they got it.
    """
    if not attempt.succeeded:
        return False
    requested, latest = attempt.deletion_requested, status.curve.latest
    if requested is None or (attempt.finished is not None and attempt.finished < requested):
        return True
    return facts.longest is not None and latest is not None and latest.epoch >= facts.longest


def _start_time(status: TrialStatus, attempt: Attempt, now: datetime) -> datetime | None:
    """When the training started: by its node's clock, as far as the API server's clock and ours can believe it."""
    if status.start_time or attempt.started is None:
        return status.start_time
    return max(attempt.created, min(attempt.started, now))


def _run_time(status: TrialStatus, facts: TrialFacts) -> int:
    """Seconds that the current attempt trained; up to now when its end was not seen (its node or its Pod is gone).

    However wrong its node's clock is, it has not trained for longer than its Pod exists.
    """
    attempt = facts.attempt
    if attempt and attempt.started and attempt.finished:  # two times of the same clock
        length = min(attempt.finished - attempt.started, facts.now - attempt.created)
    elif status.start_time:
        length = facts.now - status.start_time
    else:
        return 0
    return round(max(0.0, length.total_seconds()))


def _completion_time(attempt: Attempt | None, now: datetime) -> datetime:
    """When the training ended: by its node's clock, which may be fast, but not after now."""
    return min(attempt.finished, now) if attempt and attempt.finished else now
