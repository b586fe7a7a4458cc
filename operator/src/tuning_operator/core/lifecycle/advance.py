"""Decides how a trial moves on: from what its Pod and Prometheus show to its next status.

One function for each phase; each returns the new status. Early stopping and the end of the job come from elsewhere,
as a stop decision in the status; here it is carried out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tuning_operator.core.lifecycle.attempts import disrupted, failed
from tuning_operator.core.lifecycle.deadlines import at_deadline, silent
from tuning_operator.core.lifecycle.learning import learn
from tuning_operator.core.lifecycle.times import completion_time, run_time, start_time
from tuning_operator.core.lifecycle.wording import (
    SCRAPING_TROUBLES,
    log_trouble,
    scraping_trouble,
    without_objective,
)
from tuning_operator.core.model.attempt import Scraping
from tuning_operator.core.model.conditions import fitting
from tuning_operator.core.model.trial import TrialPhase

if TYPE_CHECKING:
    from tuning_operator.core.lifecycle.facts import TrialFacts
    from tuning_operator.core.model.attempt import Attempt, Exit, Reading
    from tuning_operator.core.model.trial import Trial, TrialStatus


def advance(trial: Trial, facts: TrialFacts) -> TrialStatus:
    """Return the status of a trial that has not ended, moved on by what was observed."""
    if trial.phase is TrialPhase.PAUSED:
        return trial.status
    status = learn(trial.status, facts)
    if status.phase is TrialPhase.STOPPING:
        return _stopping(status, facts)
    if status.phase is TrialPhase.COLLECTING:
        return _collecting(status, facts)
    if facts.attempt is None:
        return _without_attempt(status, facts)
    return _with_attempt(status, facts.attempt, facts)


def _without_attempt(status: TrialStatus, facts: TrialFacts) -> TrialStatus:
    if status.attempt_uid is None:
        return status  # committed, its Pod is yet to be created
    return disrupted(status, "PodLost", "its Pod disappeared", facts)


def _with_attempt(status: TrialStatus, attempt: Attempt, facts: TrialFacts) -> TrialStatus:
    status = status.having(
        attempt_uid=attempt.uid,
        reporter=attempt.reporter or status.reporter,
        start_time=start_time(status, attempt, facts.now),
    )
    if attempt.exit is not None:
        return _ended(status, attempt, attempt.exit, facts)
    if attempt.missing and status.start_time is not None:
        return disrupted(status, "PodLost", "one of its Pods disappeared", facts)
    if attempt.started is not None:
        reason, message = _scraping(status, facts.reading)
        running = status.having(phase=TrialPhase.RUNNING, reason=reason, message=message)
        return silent(status, facts) or at_deadline(running, facts) or running
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
    return status.having(
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
        return disrupted(status, "Disrupted", attempt.disruption or "somebody deleted its Pod", facts)
    return _over(status, attempt, ending, facts)


def _over(
    status: TrialStatus, attempt: Attempt, ending: Exit, facts: TrialFacts, note: str | None = None
) -> TrialStatus:
    collecting = replace(
        status,
        phase=TrialPhase.COLLECTING,
        completion_time=completion_time(attempt, facts.now),
        training_seconds=status.training_seconds + run_time(status, facts.attempt, facts.now),
        reason=None if ending.succeeded else ending.reason,
        message=note if ending.succeeded else ending.message,
    )
    return _collecting(collecting, facts)


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
        return failed(status, status.reason, status.message or "", facts)
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
            training_seconds=status.training_seconds + run_time(status, facts.attempt, facts.now),
        )
    early = status.stop is not None and status.stop.early
    ended = replace(
        status,
        phase=TrialPhase.EARLY_STOPPED if early else TrialPhase.STOPPED,
        completion_time=completion_time(attempt, facts.now),
        training_seconds=status.training_seconds + run_time(status, facts.attempt, facts.now),
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
