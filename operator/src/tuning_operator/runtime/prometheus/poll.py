"""One round of questions about the Pods of a namespace.

It asks first how many epochs each Pod says are over, and then for the epochs of those that have others than are known.
A Pod is asked about from its beginning at first, and from a while before its end once it has ended; between these from
a while before the last answer on, since a sample may be stored late. Every now and then it is asked also where its page
says that there is nothing new: a page may be wrong.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.api.termination import MAX_EPOCH
from tuning_operator.core.model.attempt import Reading, Scraping
from tuning_operator.runtime.prometheus.interest import MAX_WINDOW, batches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime

    from tuning_operator.core.model.curves import Curve
    from tuning_operator.core.model.sources import Gauges
    from tuning_operator.runtime.prometheus.client import Prometheus
    from tuning_operator.runtime.prometheus.interest import Interest


@dataclass(frozen=True, slots=True)
class Known:
    """What has been answered about a Pod.

    Attributes:
        item: The Pod as it was asked about.
        reading: What a pass gets of it.
        read: When it was asked for epochs.
        completed: How many epochs its page said are over; None where it has not said so.
    """

    item: Interest
    reading: Reading
    read: datetime
    completed: float | None = None

    def has_all(self, completed: float | None) -> bool:
        """Whether all epochs that the page reports are known."""
        return completed is not None and completed == len(self.reading.curve)


class Poll:
    """Asks about the Pods of a namespace, once.

    Args:
        prometheus: Where to ask.
        namespace: The Pods' namespace.
        clock: Says when it is.
        answering: Since when Prometheus has answered every question.
        reach: How far to look back beyond the end of a Pod.
    """

    def __init__(
        self,
        prometheus: Prometheus,
        namespace: str,
        clock: Callable[[], datetime],
        answering: datetime,
        reach: timedelta,
    ) -> None:
        self._prometheus = prometheus
        self._namespace = namespace
        self._clock = clock
        self._now = clock()
        self._answering = answering
        self._reach = reach
        self._late = reach / 2  # which has to span the longest scrape interval, and the way of a sample into the store
        self._refresh = reach / 10

    async def ask(self, items: Mapping[str, Interest], known: Mapping[str, Known]) -> AsyncIterator[dict[str, Known]]:
        """Yield what is answered, question by question.

        Args:
            items: The Pods, by name.
            known: What has been answered about them.

        Raises:
            PrometheusError: There is no usable answer; what has been yielded stands.
        """
        known = {pod: before for pod, before in known.items() if not _is_another(items[pod], before)}
        by_source: defaultdict[Gauges | None, set[str]] = defaultdict(set)
        for pod, item in items.items():
            by_source[item.gauges].add(pod)
        completed = await self._completed(items, known, by_source[None])
        for gauges, pods in by_source.items():
            windows = {
                pod: self._window(items[pod], known.get(pod))
                for pod in pods
                if pod not in completed or not known[pod].has_all(completed[pod])
            }
            series = {pod: max(1, len(before.reading.curve)) for pod, before in known.items()}
            series |= {pod: int(min(count, MAX_EPOCH)) for pod, count in completed.items() if count and count > 0}
            for batch in batches(windows, series):
                curves = await self._curves(gauges, batch, items)
                scraping = await self._scraping(curves, items, known)
                yield {
                    pod: self._answer(items[pod], known.get(pod), curve, scraping.get(pod), completed.get(pod))
                    for pod, curve in curves.items()
                }

    async def _completed(
        self, items: Mapping[str, Interest], known: Mapping[str, Known], pods: set[str]
    ) -> dict[str, float | None]:
        """How many epochs are over in each Pod that may have nothing new, by its page."""
        windows = {
            pod: self._window(items[pod], before)
            for pod, before in known.items()
            if pod in pods
            and items[pod].ended is None
            and len(before.reading.curve)
            and self._now - before.read < self._refresh
        }
        counts: dict[str, float | None] = {pod: known[pod].completed for pod in windows}
        for batch in batches(windows, dict.fromkeys(windows, 1)):
            counts |= await self._prometheus.progress(self._namespace, self._from_now(batch))
        return {pod: counts[pod] for pod in windows}

    def _window(self, item: Interest, before: Known | None) -> int:
        if item.gauges is not None:  # they show an epoch for a while only
            return item.window(self._now, self._reach + (self._now - before.read) if before else MAX_WINDOW)
        if before is None:  # its page shows the newest epochs, and Prometheus remembers those before
            return item.window(self._now, self._reach if item.created is None else MAX_WINDOW)
        since = self._late + (self._now - before.read)
        if item.ended is None:
            return item.shared_window(self._now, since)
        return item.window(self._now, max(self._reach, since))

    async def _curves(
        self, gauges: Gauges | None, windows: Mapping[str, int], items: Mapping[str, Interest]
    ) -> dict[str, Curve]:
        windows = self._from_now(windows)
        if gauges is not None:
            return await self._prometheus.gauge_curves(self._namespace, gauges, windows)
        return await self._prometheus.curves(self._namespace, {pod: items[pod].metric for pod in windows}, windows)

    async def _scraping(
        self, curves: Mapping[str, Curve], items: Mapping[str, Interest], known: Mapping[str, Known]
    ) -> dict[str, Scraping]:
        """Ask whether the Pods are scraped at all that have shown no epoch for a few scrape intervals."""
        windows: dict[str, int] = {}
        gauges: set[str] = set()
        for pod, curve in curves.items():
            item, before = items[pod], known.get(pod)
            if len(curve) or (before and len(before.reading.curve)) or item.started is None:
                continue
            if self._now - max(item.started, self._answering) >= self._late:
                windows[pod] = item.shared_window(self._now, self._reach)
                gauges |= {item.gauges.value.name, item.gauges.epoch.name} if item.gauges else set()
        return await self._prometheus.scraping(self._namespace, self._from_now(windows), gauges) if windows else {}

    def _from_now(self, windows: Mapping[str, int]) -> dict[str, int]:
        """Lengthen windows by the time since the poll began: Prometheus looks back from when it is asked.

        Where it is slow at earlier questions, a short training would else lie before its own window.
        """
        passed = max(0, (self._clock() - self._now) // timedelta(milliseconds=1))
        return {pod: window + passed for pod, window in windows.items()}

    def _answer(
        self, item: Interest, before: Known | None, curve: Curve, scraping: Scraping | None, completed: float | None
    ) -> Known:
        if before is not None:
            # Of gauges the first value of an epoch counts. The contract's values never change: if one does, the new one
            # has to be seen.
            known = before.reading.curve
            curve = known.merge(curve) if item.gauges else curve.merge(known)
        # Prometheus stores what a scrape brings when all of it is there. The answer right after the end may lack the
        # last page, so the next one counts.
        after_end = before is not None and before.item.ended is not None
        reading = Reading(curve, after_end, scraping or Scraping.UNKNOWN, self._now)
        said = completed if completed is not None or before is None else before.completed
        return Known(item, reading, self._now, said)


def _is_another(item: Interest, before: Known) -> bool:
    """Whether the Pod was created after what is known was read: of a Pod that had its name."""
    return item.created is not None and item.created > before.read
