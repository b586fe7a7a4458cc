"""Who waits for quota, for how long, and in which order it is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.builders import NOW
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.queue import JobKey
from tuning_operator.runtime.reconciler.refusals import (
    ASK_AGAIN,
    COUNTED,
    FIRST_IN_LINE,
    GIVE_WAY,
    LONGEST_PAUSE,
    PATIENCE,
    QUOTA_PAUSE,
    Refusals,
)

FULL = ApiError(ErrorKind.QUOTA, "exceeded quota: gpus")
FIRST, SECOND, THIRD = (JobKey("ns", name) for name in ("first", "second", "third"))
SECOND_LATER = timedelta(seconds=1)


class Line:
    """Jobs that were refused one after the other, a second between them, and long ago."""

    def __init__(self, *jobs: JobKey, times: int = 12) -> None:
        self.woken: list[JobKey] = []
        self.refusals = Refusals(self.woken.append)
        self.now = NOW
        for time in range(times):
            for job in jobs:
                self.refuse(job)
                self.now += SECOND_LATER
            self.now += timedelta(minutes=2) if time < times - 1 else timedelta(seconds=1.5)
        self.woken.clear()

    def refuse(self, job: JobKey, created: int = 0) -> None:
        self.refusals.record(job, FULL, 0, created, self.now)

    def pause(self, job: JobKey) -> timedelta | None:
        return self.refusals.pause(job, 0, self.now)


def test_what_frees_quota_ends_the_pauses_of_its_namespace_the_oldest_refusal_first() -> None:
    other = JobKey("other", "first")
    it = Line(SECOND, FIRST, other)
    assert it.pause(SECOND) is not None
    it.refusals.freed("ns", it.now)
    assert it.woken == [SECOND, FIRST]
    assert it.pause(FIRST) == GIVE_WAY, "it was refused later"
    assert it.pause(SECOND) is None
    it.refusals.forget(SECOND)
    assert it.pause(FIRST) is None
    assert it.pause(other) is not None


def test_a_refusal_right_after_something_ended_costs_nobody_its_turn() -> None:
    """The API server counts a Pod for a moment after its end."""
    it = Line(FIRST, SECOND)
    it.refusals.freed("ns", it.now)
    it.refuse(FIRST)
    assert it.pause(FIRST) == ASK_AGAIN
    assert it.pause(SECOND) == ASK_AGAIN + GIVE_WAY
    it.now += ASK_AGAIN
    assert it.pause(FIRST) is None
    assert it.pause(SECOND) == GIVE_WAY
    it.refusals.forget(FIRST)  # it got its Pod
    assert it.pause(SECOND) is None


def test_a_job_for_which_there_is_never_enough_has_one_turn_and_others_the_next() -> None:
    it = Line(FIRST, SECOND)
    it.refusals.freed("ns", it.now)
    for _ in range(int(COUNTED / ASK_AGAIN)):
        it.refuse(FIRST)
        assert it.pause(SECOND) == ASK_AGAIN + GIVE_WAY
        it.now += ASK_AGAIN
        it.refusals.freed("ns", it.now)  # again and again: Pods are many, and short
    it.refuse(FIRST)
    assert it.pause(FIRST) == QUOTA_PAUSE
    assert it.pause(SECOND) is None
    it.refusals.freed("ns", it.now)
    it.refuse(FIRST)
    assert it.pause(SECOND) is None, "the next turn is the other's"
    it.now += PATIENCE + SECOND_LATER
    it.refusals.freed("ns", it.now)
    it.refuse(FIRST)
    assert it.pause(SECOND) == ASK_AGAIN + GIVE_WAY


def test_a_job_that_comes_later_asks_after_those_that_wait() -> None:
    it = Line(FIRST, SECOND)
    assert it.pause(THIRD) == GIVE_WAY
    assert it.woken == [FIRST]
    it.refusals.forget(FIRST)  # it got its Pod
    assert it.pause(THIRD) == GIVE_WAY
    assert it.woken == [FIRST, SECOND]
    it.refuse(SECOND)
    assert it.pause(THIRD) is None, "there is no more of what the second one needs; this one may need something else"
    assert it.woken == [FIRST, SECOND]


def test_a_job_that_does_not_take_its_turn_holds_nobody_up() -> None:
    it = Line(FIRST)
    assert it.pause(SECOND) == GIVE_WAY
    it.now += PATIENCE + SECOND_LATER
    assert it.pause(SECOND) is None


def test_a_job_that_got_a_pod_waits_for_its_next_one_behind_the_others() -> None:
    it = Line(FIRST, SECOND)
    it.refuse(FIRST, created=1)
    it.refusals.freed("ns", it.now)
    assert it.woken == [SECOND, FIRST]


def test_the_first_in_line_ask_every_few_seconds_and_the_others_once_a_minute() -> None:
    jobs = [JobKey("ns", f"job-{number}") for number in range(FIRST_IN_LINE + 2)]
    it = Line(*jobs)
    pauses = []
    for job in jobs:
        it.refuse(job)
        pauses.append(it.pause(job))
    assert pauses == [QUOTA_PAUSE] * FIRST_IN_LINE + [LONGEST_PAUSE] * 2


@pytest.mark.parametrize("kind", [ErrorKind.FORBIDDEN, ErrorKind.INVALID])
def test_what_a_policy_refuses_waits_for_no_quota_and_nobody_waits_for_it(kind: ErrorKind) -> None:
    it = Line()
    it.refusals.record(FIRST, ApiError(kind, "no"), 0, 0, it.now)
    it.refusals.freed("ns", it.now)
    assert it.woken == []
    assert it.pause(FIRST) is not None
    assert it.pause(SECOND) is None
