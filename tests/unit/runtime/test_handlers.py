from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import kopf
import pytest

from tuning_operator.api import names
from tuning_operator.runtime.handlers import Backoffs, _add_job_of, build_registry, configure_kopf
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.runtime.operator import Operator


class FakeOperator:
    """Notes which jobs an event led to."""

    def __init__(self) -> None:
        self.added: list[JobKey] = []
        self.queue = self
        self.noted: list[tuple[str | None, bool]] = []

    def note_pod(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        self.noted.append((body["metadata"]["name"], deleted))

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


async def test_a_pod_that_goes_is_noted() -> None:
    operator = FakeOperator()
    registry = build_registry(cast("Operator", operator))
    on_pod: Any
    (on_pod,) = (handler.fn for handler in registry._watching.get_all_handlers() if str(handler.id).endswith("on_pod"))
    for kind in (None, "MODIFIED", "DELETED"):
        body = {"metadata": {"name": kind}}
        await on_pod(namespace="ns", labels={names.LABEL_JOB: "job"}, body=body, event={"type": kind, "object": body})
    assert operator.noted == [(None, False), ("MODIFIED", False), ("DELETED", True)]
    assert operator.added == [JobKey("ns", "job")] * 3


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
