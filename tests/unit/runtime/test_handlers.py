from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, cast

import kopf
import pytest

from tuning_operator.runtime.handlers import Backoffs, _add_job_of, configure_kopf
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from tuning_operator.runtime.operator import Operator


class FakeOperator:
    """Notes which jobs an event led to."""

    def __init__(self) -> None:
        self.added: list[JobKey] = []
        self.queue = self

    def add(self, key: JobKey) -> None:
        self.added.append(key)


@pytest.mark.parametrize(
    ("labels", "jobs"),
    [
        ({"tuning-operator.dev/job": "job"}, [JobKey("ns", "job")]),
        ({"tuning-operator.dev/job": ""}, []),
        ({"app": "job"}, []),
    ],
)
def test_an_event_leads_to_the_job_of_its_label(labels: dict[str, str], jobs: list[JobKey]) -> None:
    operator = FakeOperator()
    _add_job_of(cast("Operator", operator), "ns", labels)
    assert operator.added == jobs


def test_watches_are_retried_for_ever_every_few_seconds_and_again_from_the_start() -> None:
    backoffs = Backoffs()
    for _ in range(2):
        delays = list(islice(backoffs, 100))
        assert 0.5 <= delays[0] <= 1
        assert 2.5 <= delays[-1] <= 5
        assert max(delays) <= 5


def test_kopf_writes_nothing_and_survives_silence() -> None:
    settings = kopf.OperatorSettings()
    configure_kopf(settings)
    assert not settings.posting.enabled
    assert settings.peering.standalone
    assert settings.watching.client_timeout is not None
    assert settings.watching.server_timeout is not None
    assert settings.watching.client_timeout > settings.watching.server_timeout
    assert isinstance(settings.networking.error_backoffs, Backoffs)
