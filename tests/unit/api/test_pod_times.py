"""When a training began and ended, by clocks that may be wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.statuses import (
    RUNTIME,
    SCHEDULED,
    at,
    containers,
    read,
    terminated,
)
from tests.unit.builders import trial
from tuning_operator.api.values import render_time
from tuning_operator.core.lifecycle.advance import advance
from tuning_operator.core.lifecycle.facts import TrialFacts
from tuning_operator.core.model.attempt import Reading
from tuning_operator.core.model.curves import Curve

ZERO = {"startedAt": "1970-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("status", "never"),
    [
        (containers({"terminated": terminated(128, "StartError", RUNTIME)["terminated"] | ZERO}), True),
        (containers({"waiting": {"reason": "ContainerCreating"}}), True),
        (containers(terminated(1, "Error")), False),
        ([], False),
    ],
)
def test_whether_the_training_never_began(status: list[dict[str, Any]], never: bool) -> None:
    found = read({"phase": "Failed", "reason": "DeadlineExceeded", "containerStatuses": status})
    assert found.exit is not None
    assert found.exit.never_started is never


TIMES = st.none() | st.sampled_from(["", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])

ANY_TIME = TIMES | st.integers(-9000, 9000).map(lambda seconds: render_time(at(0, 0) + timedelta(seconds=seconds)))


@given(ANY_TIME, ANY_TIME, ANY_TIME, ANY_TIME, st.sampled_from(["running", "terminated"]), st.integers(0, 7200))
def test_whatever_times_a_pod_tells_no_training_is_longer_than_its_pod(
    started: str | None, finished: str | None, scheduled: str | None, fetched: str | None, state: str, age: int
) -> None:
    times = {"startedAt": started, "finishedAt": finished, "exitCode": 128}
    status = {
        "conditions": [SCHEDULED | {"lastTransitionTime": scheduled}],
        "initContainerStatuses": [{"name": "fetch", "state": {"terminated": {"exitCode": 0, "finishedAt": fetched}}}],
        "containerStatuses": containers({state: times}),
    }
    found = read(status)
    message = (found.started, found.finished, found.due)
    assert all(time is None or time >= found.created for time in message)
    now = found.created + timedelta(seconds=age)
    facts = TrialFacts(found, Reading(Curve(), after_end=True), now, timedelta(minutes=15))
    after = advance(trial(1), facts)
    assert 0 <= after.training_seconds <= age
    assert after.start_time is None or found.created <= after.start_time <= now
    assert after.completion_time is None or found.created <= after.completion_time <= now


def test_a_clock_that_is_slow_is_put_forward_and_the_length_stays() -> None:
    times = {"startedAt": "2026-05-04T11:50:00Z", "finishedAt": "2026-05-04T11:51:30Z", "exitCode": 0}
    found = read({"phase": "Succeeded", "containerStatuses": containers({"terminated": times})})
    assert (found.started, found.finished) == (at(0, 0), at(1, 30))


@pytest.mark.parametrize(
    ("grace", "requested"), [(30, at(4, 30)), (0, at(5, 0)), (None, at(5, 0)), (2**63 - 1, at(0, 0))]
)
def test_when_a_deletion_was_asked_for(grace: int | None, requested: datetime) -> None:
    found = read({}, deletionTimestamp="2026-05-04T12:05:00Z", deletionGracePeriodSeconds=grace)
    assert (found.deletion_requested, found.deleting) == (requested, True)
