"""When a training started and ended, and how long it took, by clocks that may be wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.trial import TrialStatus


def start_time(status: TrialStatus, attempt: Attempt, now: datetime) -> datetime | None:
    """Return when the training started: by its node's clock, within the bounds of the API server's and ours."""
    if status.start_time or attempt.started is None:
        return status.start_time
    return max(attempt.created, min(attempt.started, now))


def run_time(status: TrialStatus, attempt: Attempt | None, now: datetime) -> int:
    """Return the seconds that the current attempt trained, up to now if its end was not seen (its node or Pod is gone).

    However wrong its node's clock is, it has not trained for longer than its Pod exists.
    """
    if attempt and attempt.started and attempt.finished:  # two times of the same clock
        length = min(attempt.finished - attempt.started, now - attempt.created)
    elif status.start_time:
        length = now - status.start_time
    else:
        return 0
    return round(max(0.0, length.total_seconds()))


def completion_time(attempt: Attempt | None, now: datetime) -> datetime:
    """Return when the training ended: by its node's clock, which may be fast, but not after now."""
    return min(attempt.finished, now) if attempt and attempt.finished else now
