"""Looks at all unfinished or edited jobs from time to time, in case an event was missed."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tuning_operator.api.job import is_idle, is_managed_elsewhere, is_settled
from tuning_operator.core.model.spec import Strategy
from tuning_operator.runtime.kubernetes.errors import ApiError
from tuning_operator.runtime.queue import OUTAGE_BACKOFF, JobKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tuning_operator.runtime.health import Heartbeats
    from tuning_operator.runtime.kubernetes.cluster import Cluster
    from tuning_operator.runtime.kubernetes.transport import Body

logger = logging.getLogger(__name__)


class Resync:
    """Lists the jobs, again and again.

    Args:
        cluster: Where to ask.
        namespaces: Whose jobs; none for those of the whole cluster.
        interval: Seconds between two lists.
        heartbeats: Where to note progress.
        due: Called with each job that may have something to do.
        needs_model: Called before that, at the start, with each job whose strategy needs the model.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespaces: Sequence[str],
        interval: float,
        heartbeats: Heartbeats,
        due: Callable[[JobKey], None],
        needs_model: Callable[[JobKey], None],
    ) -> None:
        self._cluster = cluster
        self._namespaces = namespaces or (None,)
        self._interval = interval
        self._heartbeats = heartbeats
        self._due = due
        self._needs_model = needs_model

    async def run(self) -> None:
        """Resync until cancelled.

        At first all jobs are due at once, and later one after the other: all that a job has is listed, and meanwhile
        slots of others become free.
        """
        self._heartbeats.beat("resync")
        spread = 0.0
        while True:
            bodies, answered = await self._unfinished()
            pause = self._interval if answered else min(self._interval, OUTAGE_BACKOFF)
            for body in bodies:
                key = JobKey(body["metadata"]["namespace"], body["metadata"]["name"])
                if not spread and body["spec"].get("strategy") == Strategy.BAYESIAN:
                    self._needs_model(key)  # PyTorch takes seconds, and a slot may be free
                self._due(key)
                await asyncio.sleep(spread / len(bodies))
            await asyncio.sleep(max(0.0, pause - spread) if bodies else pause)
            spread = self._interval / 2 if answered else 0.0

    async def _unfinished(self) -> tuple[list[Body], bool]:
        """Return the jobs that may have something to do, and whether all namespaces could be listed."""
        found: list[Body] = []
        answered = True
        for namespace in self._namespaces:
            try:
                bodies = await self._cluster.list_jobs(namespace)
            except ApiError as error:
                logger.warning("the jobs of %s could not be listed: %s", namespace or "the cluster", error)
                bodies, answered = [], False
            found += [body for body in bodies if not (_rests(body) or is_managed_elsewhere(body))]
            self._heartbeats.beat("resync")  # also when nobody answers: that is no reason for a restart
        return found, answered


def _rests(body: Body) -> bool:
    return is_settled(body) or is_idle(body, datetime.now(UTC))
