"""Posts Events, each once; what happens again and again is told the first time, and counted.

An Event is a courtesy: when it cannot be posted the work goes on.
"""

from __future__ import annotations

import logging
import socket
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tuning_operator.api.events import build_events
from tuning_operator.api.names import JOB_KIND
from tuning_operator.runtime import metrics
from tuning_operator.runtime.kubernetes.errors import ApiError

if TYPE_CHECKING:
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.notice import Notice
    from tuning_operator.runtime.kubernetes.cluster import Cluster

logger = logging.getLogger(__name__)

REMEMBERED = 4096


class EventRecorder:
    """Posts the Events of notices and remembers which it has posted."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._instance = socket.gethostname()
        self._posted: OrderedDict[str, int] = OrderedDict()

    async def record(self, notice: Notice, job: Job) -> None:
        """Log a notice and post its Events, unless that has been done."""
        for body in build_events(notice, job, datetime.now(UTC), self._instance):
            name = body["metadata"]["name"]
            if name in self._posted:
                self._count(name, notice)
                continue
            try:
                await self._cluster.create_event(job.namespace, body)
            except ApiError as error:
                logger.warning(
                    "job %s/%s: %s: %s (no Event: %s)", job.namespace, job.name, notice.reason, body["note"], error
                )
                continue
            if body["regarding"]["kind"] == JOB_KIND:
                logger.info("job %s/%s: %s: %s", job.namespace, job.name, notice.reason, body["note"])
            self._posted[name] = 0
            self._count(name, notice)
            if len(self._posted) > REMEMBERED:
                self._posted.popitem(last=False)

    def _count(self, name: str, notice: Notice) -> None:
        """Count what is told once, on its trial and on the job alike."""
        more = (notice.count or 0) - self._posted[name]
        if more > 0 and notice.trial is not None and name.startswith(f"{notice.trial.name}."):
            metrics.REPEATED.labels(notice.reason).inc(more)
            self._posted[name] += more
