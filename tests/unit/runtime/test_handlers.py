from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import kopf
import pytest

from tuning_operator.runtime.handlers import Backoffs, add_watches, configure_kopf
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from tuning_operator.runtime.operator import Operator


class FakeOperator:
    """Notes which jobs an event led to."""

    def __init__(self) -> None:
        self.added: list[JobKey] = []
        self.queue = self.reconciler = self
        registry = kopf.OperatorRegistry()
        add_watches(registry, cast("Operator", self))
        self._handlers = {
            str(handler.id).rpartition(".")[2]: handler.fn for handler in registry._watching.get_all_handlers()
        }

    async def hear(self, handler: str, **event: Any) -> None:
        await cast("Any", self._handlers[handler])(namespace="ns", **event)

    def has_written(self, _key: JobKey, version: str) -> bool:
        return version == "own"

    def add(self, key: JobKey) -> None:
        self.added.append(key)


@pytest.mark.parametrize(
    ("change", "kind", "heard"),
    [
        ({}, "MODIFIED", False),
        ({}, None, False),
        ({}, "DELETED", True),
        ({"status": {"phase": "Suspended", "observedGeneration": 1}}, "MODIFIED", True),
        ({"spec": {"suspend": False}}, "MODIFIED", True),
    ],
)
async def test_of_a_job_that_has_nothing_to_do_only_its_end_is_heard(
    change: dict[str, Any], kind: str | None, heard: bool
) -> None:
    body = {
        "metadata": {"name": "job", "generation": 2},
        "spec": {"suspend": True},
        "status": {"phase": "Suspended", "observedGeneration": 2},
    }
    operator = FakeOperator()
    await operator.hear("on_job", name="job", type=kind, body=body | change)
    assert operator.added == [JobKey("ns", "job")] * heard


@pytest.mark.parametrize(
    ("status", "spec", "kind", "heard"),
    [
        ({}, {}, None, False),
        ({}, {}, "ADDED", True),
        ({}, {"ttlSecondsAfterFinished": 0}, None, True),
        ({"observedGeneration": 1}, {}, None, True),
        ({"conditions": [{"type": "Reconciled", "status": "False"}]}, {}, None, True),
        ({"conditions": [{"type": "Reconciled", "status": "True"}]}, {}, None, False),
        ({"phase": "Running"}, {}, None, True),
        ({"phase": "Running"}, {"managedBy": "tuning-operator.dev/tuning-operator"}, "MODIFIED", True),
        ({"phase": "Running"}, {"managedBy": "example.com/another"}, "MODIFIED", False),
        ({"phase": "Running"}, {"managedBy": "example.com/another"}, "DELETED", False),
    ],
)
async def test_an_ended_job_that_is_found_at_the_start_is_left_alone(
    status: dict[str, Any], spec: dict[str, Any], kind: str | None, heard: bool
) -> None:
    body = {
        "metadata": {"name": "job", "generation": 2},
        "spec": spec,
        "status": {"phase": "Completed", "observedGeneration": 2} | status,
    }
    operator = FakeOperator()
    await operator.hear("on_job", name="job", type=kind, body=body)
    assert operator.added == [JobKey("ns", "job")] * heard


@pytest.mark.parametrize(
    ("version", "phase", "heard"),
    [("own", "Running", False), ("another", "Running", True), ("own", "Completed", True)],
)
async def test_the_echo_of_a_passs_own_write_is_no_news_before_the_end(version: str, phase: str, heard: bool) -> None:
    body = {
        "metadata": {"name": "job", "generation": 1, "resourceVersion": version},
        "spec": {},
        "status": {"phase": phase, "observedGeneration": 1},
    }
    operator = FakeOperator()
    await operator.hear("on_job", name="job", type="MODIFIED", body=body)
    assert operator.added == [JobKey("ns", "job")] * heard


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
    storage, body = settings.persistence.diffbase_storage, kopf.Body({"spec": {"parameters": []}})
    assert storage.build(body=body) == {}  # nobody asks what has changed: nothing of an object is copied for it
    assert storage.fetch(body=body) is None
    assert settings.peering.standalone
    assert settings.watching.client_timeout is not None
    assert settings.watching.server_timeout is not None
    assert settings.watching.client_timeout > settings.watching.server_timeout
    assert isinstance(settings.networking.error_backoffs, Backoffs)
