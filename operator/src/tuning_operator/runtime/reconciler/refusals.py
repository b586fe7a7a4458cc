"""Remembers which jobs' Pods the API server refused: what to tell about it, and when to ask again.

A quota or a policy says no again and again until somebody changes something. Without a pause each new epoch would have
another Pod refused. As soon as one of the job's own Pods has ended the next one is tried at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind

if TYPE_CHECKING:
    from datetime import datetime

    from tuning_operator.runtime.queue import JobKey

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=0.5), timedelta(minutes=1)

REFUSALS = frozenset({ErrorKind.QUOTA, ErrorKind.INVALID, ErrorKind.FORBIDDEN})
"""What the API server may say of a Pod whose template it had accepted: more can be refused than is asked for then."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """`held` counts the Pods that held a slot when the next one was refused."""

    condition: Condition
    held: int
    pause: timedelta
    until: datetime


class Refusals:
    """The last refusal of each job's Pods; a restart forgets them and asks once more."""

    def __init__(self) -> None:
        self._known: dict[JobKey, _Refusal] = {}

    def pause(self, job: JobKey, held: int, now: datetime) -> timedelta | None:
        """How long to wait with the job's next Pod; None when it may be tried."""
        known = self._known.get(job)
        if known is None or held < known.held or now >= known.until:
            return None
        return known.until - now

    def record(self, job: JobKey, error: ApiError, held: int, now: datetime) -> None:
        """Note that a Pod was refused; the pauses between refusals grow."""
        known = self._known.get(job)
        pause = min(LONGEST_PAUSE, 2 * known.pause) if known else FIRST_PAUSE
        self._known[job] = _Refusal(refusal_condition(error), held, pause, now + pause)

    def condition(self, job: JobKey) -> Condition | None:
        """What to tell about the last refusal; None when the last Pod was not refused."""
        known = self._known.get(job)
        return known.condition if known else None

    def forget(self, job: JobKey) -> None:
        """Note that the last Pod was created, or that none is wanted any more."""
        self._known.pop(job, None)


def refusal_condition(error: ApiError) -> Condition:
    """What to tell about a refusal."""
    if error.kind is ErrorKind.QUOTA:
        return Condition(ConditionType.QUOTA_EXCEEDED, "True", "ExceededQuota", error.message)
    return Condition(ConditionType.RECONCILED, "False", "PodRefused", error.message)
