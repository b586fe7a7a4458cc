"""Posts Events, each once and one for each notice; what happens repeatedly is posted the first time, and counted.

No pass waits for an Event: they are posted in the background, in turns by namespace. What cannot be
posted, or waits behind too many of its namespace, is logged and let go. Where trials begin and complete by the hundred,
most of these Events are logged and counted, as Kubernetes' own recorder drops them: the TuningTrials say the same.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter, OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from tuning_operator.api.events import build_event
from tuning_operator.runtime import metrics
from tuning_operator.runtime.kubernetes.errors import ApiError
from tuning_operator.runtime.line import FairLine

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.notice import Notice
    from tuning_operator.runtime.kubernetes.cluster import Cluster

logger = logging.getLogger(__name__)

REMEMBERED = 4096
MOST_WAITING = 1000
"""Events of one namespace that wait to be posted."""
AT_ONCE = 4
"""Events under way at the same time: one after the other they could not keep up with twenty trials a second."""

ROUTINE = frozenset({"TrialCreated", "TrialCompleted"})
"""Reasons whose Events repeat what each TuningTrial says of itself."""
ROUTINE_AT_ONCE, ROUTINE_SECONDS = 50, 5.0
"""Routine Events of a job that are posted at once, and the time until there is one more, in seconds."""


class _Post(NamedTuple):
    job: Job
    notice: Notice
    body: dict[str, Any]


class EventRecorder:
    """Posts the Events of notices and remembers which it has posted."""

    def __init__(self, cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._clock = clock
        self._instance = socket.gethostname()
        self._posted: OrderedDict[str, int] = OrderedDict()
        self._routine: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """How many routine Events each job might have had posted at which time, by its uid."""
        self._line: FairLine[_Post] = FairLine()
        self._waiting: Counter[str] = Counter()
        self._added = asyncio.Event()

    def record(self, notice: Notice, job: Job) -> None:
        """Have the Event of a notice posted, unless that has been done."""
        body = build_event(notice, job, datetime.now(UTC), self._instance)
        name = body["metadata"]["name"]
        if name in self._posted:
            self._count(name, notice)
            return
        if self._waiting[job.namespace] >= MOST_WAITING:
            self._let_go(_Post(job, notice, body), f"{MOST_WAITING} others of its namespace wait")
            return
        if notice.reason in ROUTINE and not self._may_have_routine(job):
            metrics.REPEATED.labels(notice.reason).inc()
            logger.info("job %s/%s: %s: %s", *_told(_Post(job, notice, body)))
            return
        self._posted[name] = 0
        self._count(name, notice)
        if len(self._posted) > REMEMBERED:
            self._posted.popitem(last=False)
        self._waiting[job.namespace] += 1
        self._line.push(job.namespace, _Post(job, notice, body))
        self._added.set()

    async def run(self) -> None:
        """Post recorded Events until cancelled."""
        while True:
            await self._added.wait()
            self._added.clear()
            await self.drain()

    async def drain(self) -> None:
        """Post what waits."""
        await asyncio.gather(*(self._post() for _ in range(AT_ONCE)))

    async def _post(self) -> None:
        while len(self._line):
            post = self._line.pop()
            self._waiting -= Counter({post.job.namespace: 1})
            try:
                await self._cluster.create_event(post.job.namespace, post.body)
            except ApiError as error:
                self._posted.pop(post.body["metadata"]["name"], None)
                self._let_go(post, error)
            else:
                logger.info("job %s/%s: %s: %s", *_told(post))

    def _may_have_routine(self, job: Job) -> bool:
        """Whether a job's budget has another routine Event, which this takes."""
        now = self._clock()
        left, since = self._routine.pop(job.uid, (ROUTINE_AT_ONCE, now))
        left = min(ROUTINE_AT_ONCE, left + (now - since) / ROUTINE_SECONDS)
        granted = left >= 1
        self._routine[job.uid] = left - granted, now
        if len(self._routine) > REMEMBERED:
            self._routine.popitem(last=False)
        return granted

    def _let_go(self, post: _Post, why: object) -> None:
        metrics.EVENTS_LOST.inc()
        logger.warning("job %s/%s: %s: %s (no Event: %s)", *_told(post), why)

    def _count(self, name: str, notice: Notice) -> None:
        """Count what is posted once."""
        more = (notice.count or 0) - self._posted[name]
        if more > 0:
            metrics.REPEATED.labels(notice.reason).inc(more)
            self._posted[name] += more


def _told(post: _Post) -> tuple[str, str, str, str]:
    return post.job.namespace, post.job.name, post.notice.reason, post.body["note"]
