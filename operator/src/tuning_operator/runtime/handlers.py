"""What kopf calls: each handler names the job that an event belongs to, and notes Pods that go; nothing else.

There is only `on.event`, so kopf never writes to our objects: no finalizer, no annotation.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import kopf

from tuning_operator.api import names
from tuning_operator.api.job import is_at_rest, is_idle, is_managed_elsewhere, is_settled
from tuning_operator.runtime.queue import OUTAGE_BACKOFF, JobKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuning_operator.runtime.operator import Operator


class Backoffs:
    """Endless delays in seconds, growing to a few of them, with jitter; iterable any number of times."""

    def __iter__(self) -> Iterator[float]:
        delay = 1.0
        while True:
            yield delay * random.uniform(0.5, 1.0)
            delay = min(OUTAGE_BACKOFF, delay * 1.6)


def build_registry(operator: Operator) -> kopf.OperatorRegistry:
    """Return the handlers of an operator."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry)
    async def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure_kopf(settings)
        operator.start()

    @kopf.on.cleanup(registry=registry)
    async def cleanup(**_: Any) -> None:
        await operator.stop()

    @kopf.on.login(registry=registry)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        await operator.require_served()  # before kopf asks what it can watch
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.probe(id="progress", registry=registry)
    def progress(**_: Any) -> str:
        stuck = operator.heartbeats.stuck()
        if stuck:
            raise kopf.PermanentError("; ".join(stuck))
        return "ok"

    add_watches(registry, operator)
    return registry


def add_watches(registry: kopf.OperatorRegistry, operator: Operator) -> None:
    """Lead events to the jobs that they concern."""

    @kopf.on.event(names.GROUP, names.VERSION, names.JOB_PLURAL, registry=registry)
    async def on_job(namespace: str | None, name: str, type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - kopf's name for it
        # The echo of a status write to an idle job would cost as much as its creation; and
        # at a start all jobs are listed, most of which have ended.
        if is_managed_elsewhere(body):
            return
        key, now = JobKey(namespace or "", name), datetime.now(UTC)
        own = operator.reconciler.has_written(key, body["metadata"].get("resourceVersion", "")) and not is_settled(body)
        rests = own or is_idle(body, now) or (type is None and is_at_rest(body))
        if type == "DELETED" or not rests:
            operator.queue.add(key)


class NoDiff(kopf.DiffBaseStorage):
    """Keeps nothing to compare an object with: no handler asks what has changed, and kopf copied each object for it."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return what of an object is compared."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> None:
        """Return what was kept of an object."""

    def store(self, **_: Any) -> None:
        """Keep what is compared."""


def configure_kopf(settings: kopf.OperatorSettings) -> None:
    """Set kopf up as an informer that survives silent connections and long outages."""
    settings.posting.enabled = False
    settings.persistence.diffbase_storage = NoDiff()
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.networking.error_backoffs = Backoffs()
