from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import kopf
import pytest

from tuning_operator.api import names
from tuning_operator.runtime.handlers import Backoffs, _add_job_of, add_watches, configure_kopf
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.runtime.operator import Operator


class FakeOperator:
    """Notes which jobs an event led to, and of which namespaces quota was freed."""

    def __init__(self) -> None:
        self.added: list[JobKey] = []
        self.freed: list[str] = []
        self.noted: list[tuple[str | None, bool]] = []
        self.queue = self.reconciler = self
        registry = kopf.OperatorRegistry()
        add_watches(registry, cast("Operator", self))
        self._handlers = {
            str(handler.id).rpartition(".")[2]: handler.fn for handler in registry._watching.get_all_handlers()
        }

    async def hear(self, handler: str, **event: Any) -> None:
        await cast("Any", self._handlers[handler])(namespace="ns", **event)

    def note_pod(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        self.noted.append((body["metadata"]["name"], deleted))

    def quota_freed(self, namespace: str) -> None:
        self.freed.append(namespace)

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
    for kind in (None, "MODIFIED", "DELETED"):
        body = {"metadata": {"name": kind}}
        await operator.hear("on_pod", labels={names.LABEL_JOB: "job"}, body=body, event={"type": kind, "object": body})
    assert operator.noted == [(None, False), ("MODIFIED", False), ("DELETED", True)]
    assert operator.added == [JobKey("ns", "job")] * 3


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
    ("kind", "phase", "freed"),
    [
        ("DELETED", "Running", True),
        ("MODIFIED", "Succeeded", True),
        ("MODIFIED", "Failed", True),
        ("MODIFIED", "Running", False),
        (None, "Pending", False),
    ],
)
async def test_a_pod_that_ends_or_goes_frees_quota(kind: str | None, phase: str, freed: bool) -> None:
    operator = FakeOperator()
    body = {"metadata": {"name": "pod"}, "status": {"phase": phase}}
    await operator.hear("on_pod", labels={names.LABEL_JOB: "job"}, body=body, event={"type": kind, "object": body})
    assert operator.freed == ["ns"] * freed
    assert operator.added == [JobKey("ns", "job")]


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
