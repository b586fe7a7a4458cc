"""The operator process: kopf watches and calls; workers take jobs from the queue and run passes over them.

Handlers only name the job that an event belongs to. Nothing is remembered that a restart cannot find again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names
from tuning_operator.api.fields import InvalidJobError
from tuning_operator.api.podoptions import PodOptions, parse_resources
from tuning_operator.api.trial import InvalidTrialError
from tuning_operator.runtime import metrics
from tuning_operator.runtime.health import Heartbeats
from tuning_operator.runtime.job_metrics import JobMetrics
from tuning_operator.runtime.kubernetes.cluster import Cluster, load_configuration
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.kubernetes.events import EventRecorder
from tuning_operator.runtime.kubernetes.store import KINDS, Store
from tuning_operator.runtime.kubernetes.watch import Watch
from tuning_operator.runtime.listener import Listener
from tuning_operator.runtime.model_process import ModelProcess
from tuning_operator.runtime.prometheus.client import Prometheus
from tuning_operator.runtime.prometheus.poller import MetricsPoller
from tuning_operator.runtime.queue import MAX_BACKOFF, OUTAGE_BACKOFF, JobKey, WorkQueue
from tuning_operator.runtime.reconciler.reconcile import Reconciler
from tuning_operator.runtime.resync import Resync
from tuning_operator.runtime.suggestions import Suggester

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tuning_operator.runtime.settings import Settings

logger = logging.getLogger(__name__)

WATCHED = frozenset({names.JOB_PLURAL, names.TRIAL_PLURAL, "pods"})
STALE_SECONDS = 180.0
PASS_SECONDS = 120.0
"""A pass that takes longer is abandoned, and the next one completes it: it waits for unanswered requests, and a
restart, which the probe would request after STALE_SECONDS, would not answer them.
"""
PATIENT = 2
"""One worker in this many serves jobs that can wait; the others are free when a slot becomes free."""
LEAST_PROCESSES, MOST_PROCESSES = 2, 4
"""Processes for suggestions unless the settings say how many: with two, one is always free for another namespace."""
LAST_SECONDS = 3.0
"""How long a pass may continue after SIGTERM: ample for its writes, unless nobody answers."""


class Operator:
    """Everything that runs beside kopf, from start to shutdown."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self._settings = settings
        self._cluster = cluster
        self.queue: WorkQueue[JobKey] = WorkQueue(lambda key: key.namespace, max(1, settings.workers // PATIENT))
        self.heartbeats = Heartbeats(stale_after=max(STALE_SECONDS, 3 * settings.resync_interval))
        self._prometheus = Prometheus.configured(settings)
        self._poller = MetricsPoller(
            self._prometheus, settings.poll_interval, settings.metrics_window, self.queue.add_patient
        )
        processes = [ModelProcess() for _ in range(_processes(settings))]
        self._suggester = Suggester(processes, settings.suggestion_timeout, self.queue.add)
        self.job_metrics = JobMetrics() if settings.job_metrics else None
        self._recorder = EventRecorder(cluster)
        self._store = Store(cluster, self._is_watched)
        self.reconciler = Reconciler(
            self._store,
            self._poller,
            self._suggester,
            self._recorder,
            PodOptions(
                settings.sidecar_image,
                parse_resources(settings.sidecar_resources),
                settings.last_words,
                timedelta(seconds=settings.image_pull_grace),
            ),
            wake=self.queue.add,
            is_urgent=self.queue.is_pressing,
            job_metrics=self.job_metrics,
        )
        listener = Listener(self._store, self.queue, self.reconciler.quota_freed)
        self._watches = {
            (plural, namespace): Watch(
                cluster,
                plural,
                namespace,
                partial(listener.heard, plural),
                partial(listener.missed, plural, namespace),
            )
            for plural in KINDS
            for namespace in settings.namespaces or (None,)
        }
        self._resync = Resync(
            cluster,
            settings.namespaces,
            settings.resync_interval,
            self.heartbeats,
            due=self._look,
            needs_model=self._suggester.start,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self.end: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Done when the process must end; true if a part that should run forever has ended."""
        self.stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when nothing runs and nothing is open."""

    @classmethod
    async def create(cls, settings: Settings) -> Operator:
        """Connect to the API server and to Prometheus."""
        return cls(settings, Cluster(await load_configuration(), settings.api_qps, settings.api_burst))

    def start(self) -> None:
        """Start the workers, the metrics poll and the resync."""
        self._spawn(self._poller.run(lambda: self.heartbeats.beat("metrics poll")), "metrics poll")
        self._spawn(self._resync.run(), "resync")
        self._spawn(self._recorder.run(), "Events")
        for (plural, namespace), watch in self._watches.items():
            self._spawn(watch.run(), f"watch of {plural} in {namespace or 'the cluster'}")
        for number in range(self._settings.workers):
            self._spawn(self._work(f"worker {number}"), f"worker {number}")

    async def require_served(self) -> None:
        """Ask the API server, until it answers, whether it serves what is watched; end the process if it does not.

        kopf asks once what it can watch, later than this, and does not notice what is served afterwards.
        """
        while True:
            try:
                missing = WATCHED - await self._cluster.served()
                break
            except ApiError as error:
                logger.warning("the API server does not say what it serves: %s", error)
                await asyncio.sleep(OUTAGE_BACKOFF)
        if missing:
            logger.critical("the API server does not serve %s: apply the CRDs", ", ".join(sorted(missing)))
            if not self.end.done():
                self.end.set_result(True)

    def _is_watched(self, plural: str, namespace: str) -> bool:
        watch = self._watches.get((plural, namespace)) or self._watches.get((plural, None))
        return watch is not None and watch.is_live

    def _look(self, key: JobKey) -> None:
        """Run a pass that lists what the job has, when others need none sooner."""
        self._store.doubt_job(key)
        self.queue.add_patient(key)

    async def stop(self) -> None:
        """Record what passes under way have decided, start nothing, and close everything."""
        self._stopping = True
        self.reconciler.close()
        if not self.end.done():
            self.end.set_result(False)  # kopf would wait seconds for a flag that stays down
        for _ in range(self._settings.workers):
            self.queue.end_worker()
        workers = [task for task in self._tasks if task.get_name().startswith("worker")]
        if workers:
            await asyncio.wait(workers, timeout=LAST_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._recorder.drain(), LAST_SECONDS)
        self._suggester.close()
        await self._prometheus.close()
        await self._cluster.close()
        if not self.stopped.done():
            self.stopped.set_result(None)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._stopping or task.cancelled():
            return
        logger.critical("the %s ended", task.get_name(), exc_info=task.exception())
        if not self.end.done():
            self.end.set_result(True)

    async def _work(self, name: str) -> None:
        while not self._stopping:
            metrics.QUEUE_DEPTH.set(len(self.queue))
            key = await self.queue.get()
            if key is None:
                return
            try:
                with self.heartbeats.working(name):
                    await self._pass(key)
            finally:
                self.queue.done(key)

    async def _pass(self, key: JobKey) -> None:
        """Run one pass and schedule the next one, whatever it raises."""
        loop = asyncio.get_running_loop()
        began, result = loop.time(), "ok"
        try:
            async with asyncio.timeout(PASS_SECONDS):
                outcome = await self.reconciler.reconcile(key)
        except TimeoutError:
            result = "Timeout"
            await self._fail(key, f"the pass took longer than {PASS_SECONDS:g} s", OUTAGE_BACKOFF)
        except ApiError as error:
            result = error.kind
            if error.kind is ErrorKind.CONFLICT:
                self.queue.add_failed(key, OUTAGE_BACKOFF)  # something changed since it was read: start over
            else:
                longest = OUTAGE_BACKOFF if error.kind is ErrorKind.UNAVAILABLE else MAX_BACKOFF
                await self._fail(key, f"{error}", longest)
        except (InvalidJobError, InvalidTrialError) as error:
            result = type(error).__name__.removesuffix("Error")
            await self._fail(key, f"{error}")
        except Exception as error:
            result = "Exception"
            logger.exception("job %s/%s: the pass failed", *key)
            await self._fail(key, f"internal error: {error!r}")
        else:
            if outcome.again:
                self.queue.add(key)
            if outcome.wake_after is not None:
                self.queue.add_after(key, outcome.wake_after.total_seconds())
            self.queue.forget(key)
        metrics.RECONCILE_SECONDS.labels(result).observe(loop.time() - began)

    async def _fail(self, key: JobKey, message: str, longest: float = MAX_BACKOFF) -> None:
        delay = self.queue.add_failed(key, longest)
        logger.warning("job %s/%s: %s; next try in %.1f s", *key, message, delay)
        await self.reconciler.report_failure(key, message)


def _processes(settings: Settings) -> int:
    return settings.suggestion_workers or min(MOST_PROCESSES, max(LEAST_PROCESSES, os.cpu_count() or 1))
