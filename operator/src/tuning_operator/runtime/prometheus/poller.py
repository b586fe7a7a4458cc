"""Asks Prometheus about all Pods of interest, namespace by namespace and poll by poll, and remembers the answers.

A pass over a job says which Pods it wants to know about; when something new is known, the job gets another pass.
What is remembered can be asked again at any time, so that a restart loses nothing. `poll.py` has the questions.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.runtime.prometheus.answers import PrometheusError
from tuning_operator.runtime.prometheus.poll import Known, Poll

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tuning_operator.core.model.attempt import Reading
    from tuning_operator.runtime.prometheus.client import Prometheus
    from tuning_operator.runtime.prometheus.interest import Interest
    from tuning_operator.runtime.queue import JobKey

logger = logging.getLogger(__name__)

PODS_A_SECOND = 500.0
"""That are asked about at most. Each answer leads to a pass over every job that has a new epoch, so more Pods are asked
about less often: with 3,000 Pods every 6 s.
"""


class MetricsPoller:
    """Keeps the readings of all jobs fresh.

    Args:
        prometheus: Where to ask.
        interval: Seconds between two questions about a namespace, unless there are very many Pods.
        window: Seconds to look back beyond the end of a Pod.
        changed: Called with a job of which something new is known.
    """

    def __init__(
        self,
        prometheus: Prometheus,
        interval: float,
        window: float,
        changed: Callable[[JobKey], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._prometheus = prometheus
        self._interval = interval
        self._reach = timedelta(seconds=window)
        self._changed = changed
        self._clock = clock
        self._progress: Callable[[], None] = lambda: None
        self._interests: dict[JobKey, dict[str, Interest]] = {}
        self._known: dict[JobKey, dict[str, Known]] = {}
        self._conditions: dict[str, Condition] = {}
        self._answered: dict[str, datetime] = {}
        self._answering_since: dict[str, datetime] = {}

    def watch(self, job: JobKey, interests: Mapping[str, Interest]) -> None:
        """Say which Pods a job wants to know about now; none ends their polling."""
        if not interests:
            self._interests.pop(job, None)
            self._known.pop(job, None)
            return
        known = self._known.get(job, {})
        self._interests[job] = dict(interests)
        self._known[job] = {pod: known[pod] for pod in interests if pod in known}

    def readings(self, job: JobKey) -> Mapping[str, Reading]:
        """Return what is known of a job's Pods, by Pod name."""
        return {pod: known.reading for pod, known in self._known.get(job, {}).items()}

    def condition(self, namespace: str) -> Condition | None:
        """Whether Prometheus answered the last question about this namespace; None when there was none."""
        return self._conditions.get(namespace)

    def answering_since(self, namespace: str) -> datetime | None:
        """Return from when on Prometheus has answered every question; None while it does not, or is overdue."""
        since = self._answering_since.get(namespace)
        overdue = timedelta(seconds=3 * self.pause)
        return since if since and self._clock() - self._answered[namespace] <= overdue else None

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces that have Pods of interest."""
        return frozenset(job.namespace for job in self._interests)

    @property
    def pause(self) -> float:
        """Seconds between two rounds of questions."""
        return max(self._interval, sum(map(len, self._interests.values())) / PODS_A_SECOND)

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Poll until cancelled, and call `progress` at each answer and once a round."""
        self._progress = progress
        while True:
            progress()
            await asyncio.gather(*(self.poll(namespace) for namespace in sorted(self.namespaces)))
            await asyncio.sleep(self.pause)

    async def poll(self, namespace: str) -> None:
        """Ask about all Pods of interest in a namespace, once."""
        now = self._clock()
        jobs = [job for job in self._interests if job.namespace == namespace]
        owners = {pod: job for job in jobs for pod in self._interests[job]}
        items = {pod: item for job in jobs for pod, item in self._interests[job].items()}
        known = {pod: before for job in jobs for pod, before in self._known.get(job, {}).items()}
        poll = Poll(self._prometheus, namespace, self._clock, self._answering_since.get(namespace, now), self._reach)
        news: set[JobKey] = set()
        try:
            async for answer in poll.ask(items, known):
                self._progress()
                news |= {owners[pod] for pod, fresh in answer.items() if self._take(owners[pod], pod, fresh)}
        except PrometheusError as error:
            self._answering_since.pop(namespace, None)
            condition = Condition(ConditionType.METRICS_AVAILABLE, "False", "PrometheusError", str(error))
        else:
            self._answering_since.setdefault(namespace, now)
            self._answered[namespace] = now
            condition = Condition(ConditionType.METRICS_AVAILABLE, "True", "PrometheusAnswers")
        if self._set_condition(namespace, condition):
            news |= set(jobs)
        for job in jobs:
            if job in news:
                self._changed(job)

    def _take(self, job: JobKey, pod: str, fresh: Known) -> bool:
        """Remember an answer, if it is still of interest; returns whether a pass learns something from it."""
        if pod not in self._interests.get(job, {}):
            return False
        known = self._known.setdefault(job, {})
        before, known[pod] = known.get(pod), fresh
        return before is None or before.reading != fresh.reading

    def _set_condition(self, namespace: str, condition: Condition) -> bool:
        """Remember a condition; returns whether its status is another one than before."""
        before = self._conditions.get(namespace)
        self._conditions[namespace] = condition
        if before is not None and before.status == condition.status:
            return False
        level = logging.INFO if condition.status == "True" else logging.WARNING
        logger.log(level, "metrics of namespace %s: %s %s", namespace, condition.reason, condition.message)
        return True
