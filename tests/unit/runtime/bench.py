"""A metrics poller on a bench: beside a Prometheus that answers as a test says."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from tests.unit.builders import NOW
from tests.unit.runtime.fakes import PrometheusServer, prometheus_server
from tuning_operator.runtime.prometheus.poller import MetricsPoller
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from tuning_operator.runtime.prometheus.client import Prometheus

METRIC = "validation:accuracy"
JOB = JobKey("ns", "job")
POD = "job-0001-1"


class Bench:
    """A poller, the Prometheus that it asks, the jobs that it called for, and what its clock shows."""

    def __init__(self, server: PrometheusServer, client: Prometheus, interval: float) -> None:
        self.server, self.now = server, NOW
        self.called: list[JobKey] = []
        self.poller = MetricsPoller(client, interval, 300.0, self.called.append, lambda: self.now)

    async def poll_at(self, now: datetime) -> None:
        """Poll when the clock shows this."""
        self.now = now
        await self.poller.poll(JOB.namespace)

    async def answers_since(self, then: datetime) -> None:
        """Have Prometheus answer at this time, and the clock show the present again."""
        await self.poll_at(then)
        self.now = NOW

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - what is waited for is state of the code under test
                await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def bench(interval: float = 0.01, *, running: bool = True) -> AsyncIterator[Bench]:
    async with prometheus_server() as (server, client):
        it = Bench(server, client, interval)
        task = asyncio.create_task(it.poller.run()) if running else None
        try:
            yield it
        finally:
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
