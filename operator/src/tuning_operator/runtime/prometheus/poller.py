"""Asks Prometheus about all Pods of interest, one question for each namespace and poll, and remembers the answers.

A pass over a job says which Pods it wants to know about; when something new is known, the job gets another pass.
What is remembered can be asked again at any time, so that a restart loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.model.attempt import Reading, Scraping
from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.runtime.prometheus.answers import PrometheusError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tuning_operator.core.model.curves import Curve
    from tuning_operator.core.model.sources import Gauges
    from tuning_operator.runtime.prometheus.client import Prometheus
    from tuning_operator.runtime.queue import JobKey

logger = logging.getLogger(__name__)

MAX_WINDOW = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Interest:
    """A Pod that a job wants to know about.

    Attributes:
        metric: The job's objective.
        created: When the Pod came into being, as far as that is known. What Prometheus has from before then is of
            another Pod of this name: of a job that was deleted and recreated.
        ended: When the Pod's training ended; None while it runs.
        gauges: What it exports instead of keeping the metrics contract.
        started: When its training started; None where that is not known.
    """

    pod: str
    metric: str
    created: datetime | None = None
    ended: datetime | None = None
    gauges: Gauges | None = None
    started: datetime | None = None

    def window(self, now: datetime, reach: timedelta) -> int:
        """How far to look back, in milliseconds: `reach` beyond the Pod's end, but not beyond its beginning."""
        back = reach if self.ended is None else reach + max(timedelta(0), now - self.ended)
        if self.created is not None:
            back = min(back, now - self.created)
        return max(1000, min(back, MAX_WINDOW) // timedelta(milliseconds=1))


class MetricsPoller:
    """Keeps the readings of all jobs fresh.

    Args:
        prometheus: Where to ask.
        interval: Seconds between two questions about a namespace.
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
        self._overdue = timedelta(seconds=3 * interval)
        self._scrapes = timedelta(seconds=window / 2)  # which has to span the longest scrape interval and more
        self._changed = changed
        self._clock = clock
        self._interests: dict[JobKey, dict[str, Interest]] = {}
        self._readings: dict[JobKey, dict[str, Reading]] = {}
        self._conditions: dict[str, Condition] = {}
        self._answered: dict[str, datetime] = {}
        self._answering_since: dict[str, datetime] = {}
        self._over: dict[JobKey, set[str]] = {}

    def watch(self, job: JobKey, interests: Mapping[str, Interest]) -> None:
        """Say which Pods a job wants to know about now; none ends its polling."""
        if not interests:
            self._interests.pop(job, None)
            self._readings.pop(job, None)
            self._over.pop(job, None)
            return
        known = self._readings.get(job, {})
        self._interests[job] = dict(interests)
        self._readings[job] = {pod: known[pod] for pod in interests if pod in known}

    def readings(self, job: JobKey) -> Mapping[str, Reading]:
        """What is known of a job's Pods, by Pod name."""
        return self._readings.get(job, {})

    def condition(self, namespace: str) -> Condition | None:
        """Whether Prometheus answered the last question about this namespace; None when there was none."""
        return self._conditions.get(namespace)

    def answering_since(self, namespace: str) -> datetime | None:
        """From when on Prometheus has answered every question; None while it does not, or is overdue."""
        since = self._answering_since.get(namespace)
        return since if since and self._clock() - self._answered[namespace] <= self._overdue else None

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Poll for ever; `progress` is called once a round."""
        while True:
            progress()
            namespaces = {job.namespace for job in self._interests}
            await asyncio.gather(*(self.poll(namespace) for namespace in sorted(namespaces)))
            await asyncio.sleep(self._interval)

    async def poll(self, namespace: str) -> None:
        """Ask about all Pods of interest in a namespace, once."""
        asked = {job: dict(pods) for job, pods in self._interests.items() if job.namespace == namespace}
        now = self._clock()
        try:
            curves = await self._curves(namespace, asked, now)
            scraping = await self._scraping(namespace, asked, curves, now)
        except PrometheusError as error:
            self._answering_since.pop(namespace, None)
            self._set_condition(
                namespace, asked, Condition(ConditionType.METRICS_AVAILABLE, "False", "PrometheusError", str(error))
            )
            return
        self._answering_since.setdefault(namespace, now)
        self._answered[namespace] = now
        self._set_condition(namespace, asked, Condition(ConditionType.METRICS_AVAILABLE, "True", "PrometheusAnswers"))
        for job, pods in asked.items():
            if job not in self._interests:
                continue
            # Prometheus stores what a scrape brings when all of it is there. The answer right after the end may lack
            # the last page, so the next one counts.
            over_before = self._over.get(job, set())
            self._over[job] = {pod for pod, item in pods.items() if item.ended is not None}
            known = self._readings.get(job, {})
            fresh = {
                pod: Reading(
                    _together(known.get(pod), curves[pod], item),
                    after_end=pod in over_before,
                    scraping=scraping.get(pod, Scraping.UNKNOWN),
                    asked=now,
                )
                for pod, item in pods.items()
                if pod in curves
            }
            self._readings[job] = {**known, **fresh}
            if self._readings[job] != known:
                self._changed(job)

    async def _curves(
        self, namespace: str, asked: Mapping[JobKey, Mapping[str, Interest]], now: datetime
    ) -> dict[str, Curve]:
        """Ask about all Pods: one question for those that keep the metrics contract, one for each pair of gauges."""
        objectives: dict[str, str] = {}
        windows: defaultdict[Gauges | None, dict[str, int]] = defaultdict(dict)
        for job, pods in asked.items():
            for pod, item in pods.items():
                reach = self._reach if item.gauges is None else self._reach_of_gauges(job, pod, now)
                windows[item.gauges][pod] = item.window(now, reach)
                if item.gauges is None:
                    objectives[pod] = item.metric
        curves: dict[str, Curve] = {}
        for gauges, pods_windows in windows.items():
            if gauges is None:
                curves |= await self._prometheus.curves(namespace, objectives, pods_windows)
            else:
                curves |= await self._prometheus.gauge_curves(namespace, gauges, pods_windows)
        return curves

    async def _scraping(
        self,
        namespace: str,
        asked: Mapping[JobKey, Mapping[str, Interest]],
        curves: Mapping[str, Curve],
        now: datetime,
    ) -> dict[str, Scraping]:
        """Ask whether the Pods are scraped at all that have shown no epoch for a few scrape intervals."""
        answering = self._answering_since.get(namespace, now)
        windows: dict[str, int] = {}
        gauges: set[str] = set()
        for job, pods in asked.items():
            for pod, item in pods.items():
                known = self._readings.get(job, {}).get(pod)
                silent = pod in curves and not curves[pod] and not (known and known.curve)
                if silent and item.started and now - max(item.started, answering) >= self._scrapes:
                    windows[pod] = item.window(now, self._reach)
                    gauges |= {item.gauges.value.name, item.gauges.epoch.name} if item.gauges else set()
        return await self._prometheus.scraping(namespace, windows, gauges) if windows else {}

    def _reach_of_gauges(self, job: JobKey, pod: str, now: datetime) -> timedelta:
        """Gauges show an epoch for a while only: look back to the last answer, at first to the Pod's beginning."""
        if pod not in self._readings.get(job, {}):
            return MAX_WINDOW
        return self._reach + (now - self._answered[job.namespace])

    def _set_condition(self, namespace: str, jobs: Mapping[JobKey, object], condition: Condition) -> None:
        before = self._conditions.get(namespace)
        self._conditions[namespace] = condition
        if before is None or before.status != condition.status:
            logger.log(
                logging.INFO if condition.status == "True" else logging.WARNING,
                "metrics of namespace %s: %s %s",
                namespace,
                condition.reason,
                condition.message,
            )
            for job in jobs:
                self._changed(job)


def _together(known: Reading | None, curve: Curve, item: Interest) -> Curve:
    """An answer about gauges adds to what is known; any other one is the whole curve."""
    return known.curve.merge(curve) if known and item.gauges else curve
