"""Remembers which jobs' Pods the API server refused: what to report, and when to ask again.

A quota or a policy refuses until somebody changes something; without a pause each new epoch would have another Pod
refused. When quota may be free, the pauses of its namespace end, and whoever was refused first is first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tuning_operator.runtime.queue import JobKey

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=0.5), timedelta(minutes=1)
QUOTA_PAUSE = timedelta(seconds=5)
"""Longest pause of the jobs that have waited longest for quota: a Pod that is not ours frees some without an event."""
FIRST_IN_LINE = 5
"""Number of jobs of a namespace that ask this often; what one of them gets is news for the others."""
GIVE_WAY = timedelta(seconds=0.1)
"""After this time a job looks whether those before it have had their turn."""
COUNTED, ASK_AGAIN = timedelta(seconds=1), timedelta(seconds=0.25)
"""The API server may count a Pod that ended for so long, and refuse another; until then a turn goes on, and asks again
after the second."""
PATIENCE = timedelta(seconds=2)
"""How long a job that does not take its turn is waited for, and how long a refusal holds."""

REFUSALS = frozenset({ErrorKind.QUOTA, ErrorKind.INVALID, ErrorKind.FORBIDDEN})
"""What the API server may say of a Pod whose template it had accepted: more can be refused than is asked for then."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A job's last refusal.

    Attributes:
        held: The Pods that held a slot when the next one was refused.
        since: When that Pod was refused for the first time.
        asked: When it was refused last.
        turn: Since when it has its turn: something ended that may still be counted.
        turned: When its last turn ended with a refusal.
    """

    condition: Condition
    held: int
    pause: timedelta
    since: datetime
    asked: datetime
    until: datetime
    turn: datetime | None = None
    turned: datetime | None = None

    @property
    def waits_for_quota(self) -> bool:
        return self.condition.type == ConditionType.QUOTA_EXCEEDED


class Refusals:
    """The last refusal of each job's Pods; a restart forgets them and asks again.

    Args:
        wake: Called with a job whose turn has come.
    """

    def __init__(self, wake: Callable[[JobKey], None] = lambda _: None) -> None:
        self._known: dict[JobKey, _Refusal] = {}
        self._wake = wake

    def pause(self, job: JobKey, held: int, now: datetime) -> timedelta | None:
        """Return how long to wait before the job's next Pod; None if it may be tried."""
        known = self._known.get(job)
        if known is not None and held >= known.held and now < known.until:
            return known.until - now
        return self._gives_way(job, known, now)

    def freed(self, namespace: str, now: datetime) -> None:
        """Note that quota of a namespace may be free: its jobs ask again, the oldest refusal first.

        A job that has just had its turn has no other one, so that a job for which there is never enough does not keep
        the others from what they need.
        """
        for job in self._line(namespace):
            known = self._known[job]
            if known.turn is None and (known.turned is None or now - known.turned > PATIENCE):
                self._known[job] = replace(known, turn=now)
            self._call(job, now)

    def record(self, job: JobKey, error: ApiError, held: int, created: int, now: datetime) -> None:
        """Note that a Pod was refused, after some that were created; the pauses between refusals grow."""
        known = self._known.get(job)
        since = now if known is None or created else known.since
        turn, turned = (known.turn, known.turned) if known else (None, None)
        condition, longest = refusal_condition(error), LONGEST_PAUSE
        if condition.type == ConditionType.QUOTA_EXCEEDED:
            before = [each for each in self._line(job.namespace) if each != job and self._known[each].since <= since]
            longest = QUOTA_PAUSE if len(before) < FIRST_IN_LINE else LONGEST_PAUSE
        if known and turn and now - turn < COUNTED:
            pause, until = known.pause, now + ASK_AGAIN
        else:
            pause = min(longest, 2 * known.pause) if known else FIRST_PAUSE
            turn, turned, until = None, now if turn else turned, now + pause
        self._known[job] = _Refusal(condition, held + created, pause, since, now, until, turn, turned)

    def condition(self, job: JobKey) -> Condition | None:
        """Return the condition about the last refusal; None if the last Pod was not refused."""
        known = self._known.get(job)
        return known.condition if known else None

    def forget(self, job: JobKey) -> None:
        """Note that the last Pod was created, or that no further Pod is needed."""
        self._known.pop(job, None)

    def _line(self, namespace: str) -> list[JobKey]:
        waiting = [job for job, known in self._known.items() if job.namespace == namespace and known.waits_for_quota]
        return sorted(waiting, key=lambda job: self._known[job].since)

    def _call(self, job: JobKey, now: datetime) -> None:
        self._known[job] = replace(self._known[job], until=min(now, self._known[job].until))
        self._wake(job)

    def _gives_way(self, job: JobKey, known: _Refusal | None, now: datetime) -> timedelta | None:
        """Return how long to wait for a job that was refused earlier, or at all, and has its turn first."""
        for other in self._line(job.namespace):
            waiting = self._known[other]
            if other == job or (known is not None and known.waits_for_quota and waiting.since >= known.since):
                break
            if waiting.until <= now:
                if now - waiting.until <= PATIENCE:
                    return GIVE_WAY
            elif waiting.turn is not None and now - waiting.turn <= PATIENCE:
                return waiting.until - now + GIVE_WAY
            elif now - waiting.asked <= PATIENCE:
                break  # the last answer was that there is none
            else:
                self._call(other, now)
                return GIVE_WAY
        return None


def refusal_condition(error: ApiError) -> Condition:
    """Return the condition that reports a refusal."""
    if error.kind is ErrorKind.QUOTA:
        return Condition(ConditionType.QUOTA_EXCEEDED, "True", "ExceededQuota", error.message)
    return Condition(ConditionType.RECONCILED, "False", "PodRefused", error.message)
