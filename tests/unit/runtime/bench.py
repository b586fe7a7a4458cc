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

METRIC = "validation:accuracy"
JOB = JobKey("ns", "job")
POD = "job-0001-1"


class Bench:
    """A poller, the Prometheus that it asks, and the jobs that it called for."""

    def __init__(self, server: PrometheusServer, poller: MetricsPoller, called: list[JobKey]) -> None:
        self.server, self.poller, self.called = server, poller, called

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - what is waited for is state of the code under test
                await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def bench(interval: float = 0.01, *, running: bool = True) -> AsyncIterator[Bench]:
    called: list[JobKey] = []
    async with prometheus_server() as (server, client):
        poller = MetricsPoller(client, interval, 300.0, called.append, lambda: NOW)
        task = asyncio.create_task(poller.run()) if running else None
        try:
            yield Bench(server, poller, called)
        finally:
            if task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
