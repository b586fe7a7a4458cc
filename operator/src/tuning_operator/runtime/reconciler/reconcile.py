"""One pass over a job: observe, decide, commit, act. Create, resume, update and the clock all run this.

The intent is recorded before it is acted on: a trial before its Pod is created, a stop decision before its Pod is
deleted. A pass that dies anywhere is made good by the next one.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeVar

from tuning_operator.api.job import render_status as render_job_status
from tuning_operator.api.job import with_condition
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.trial import render_status as render_trial_status
from tuning_operator.core.decide import decide
from tuning_operator.core.lifecycle.slots import LOOK_AGAIN, held_slots
from tuning_operator.core.model.conditions import MAX_MESSAGE, Condition, ConditionType
from tuning_operator.core.model.job import JobPhase
from tuning_operator.core.model.sources import Gauges
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.core.report.summary import JobStatus, summarize
from tuning_operator.runtime import metrics
from tuning_operator.runtime.kubernetes.errors import ApiError
from tuning_operator.runtime.prometheus.poller import Interest
from tuning_operator.runtime.reconciler.act import create_attempts, create_trial, delete_attempts
from tuning_operator.runtime.reconciler.identity import Identity
from tuning_operator.runtime.reconciler.observe import Observed, observe
from tuning_operator.runtime.reconciler.parents import Parents
from tuning_operator.runtime.reconciler.patches import difference
from tuning_operator.runtime.reconciler.refusals import Refusals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tuning_operator.api.job import TuningJob
    from tuning_operator.core.lifecycle.decision import Decision
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.notice import Notice
    from tuning_operator.core.model.snapshot import Snapshot
    from tuning_operator.runtime.job_metrics import JobMetrics
    from tuning_operator.runtime.kubernetes.cluster import Cluster
    from tuning_operator.runtime.kubernetes.events import EventRecorder
    from tuning_operator.runtime.prometheus.poller import MetricsPoller
    from tuning_operator.runtime.queue import JobKey
    from tuning_operator.runtime.suggestions import Suggester

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

_DEFAULTS = PodOptions()
_FINAL_PHASES = {phase.value for phase in JobPhase if phase.is_final}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a pass ended.

    Attributes:
        again: Something was created that the next pass builds on.
        wake_after: Time after which to look again in any case.
    """

    again: bool = False
    wake_after: timedelta | None = None


class Reconciler:
    """Runs passes; remembers nothing between them but which Pods were refused, and what parents have found."""

    def __init__(
        self,
        cluster: Cluster,
        poller: MetricsPoller,
        suggester: Suggester,
        recorder: EventRecorder,
        image_pull_grace: timedelta,
        options: PodOptions = _DEFAULTS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        wake: Callable[[JobKey], None] = lambda _: None,
        job_metrics: JobMetrics | None = None,
    ) -> None:
        self._cluster = cluster
        self._poller = poller
        self._suggester = suggester
        self._recorder = recorder
        self._image_pull_grace = image_pull_grace
        self._identity = Identity(cluster, options)
        self._clock = clock
        self._gauge = metrics.TrialGauge()
        self._job_metrics = job_metrics
        self._refusals = Refusals(wake)
        self._parents = Parents(cluster)
        self._closing = False

    async def reconcile(self, key: JobKey) -> Outcome:
        """Bring one job a step further.

        Raises:
            ApiError: A request failed; Conflict means that something changed meanwhile.
            InvalidJobError: The job is not understood.
        """
        observed = await observe(
            self._cluster,
            key,
            self._poller.readings(key),
            self._conditions(key),
            self._poller.answering_since(key.namespace),
            self._clock(),
            self._image_pull_grace,
            self._parents,
            self._identity,
        )
        if observed is None:
            self.forget(key)
            return Outcome()
        tuning_job, snapshot = observed.tuning_job, observed.snapshot
        if tuning_job.job.spec.strategy is Strategy.BAYESIAN and not tuning_job.job.phase.is_final:
            self._suggester.warm_up()
        decision = decide(snapshot)
        if decision.delete_job:
            return await self._delete_job(key, tuning_job)
        failures, versions = await self._commit_trials(snapshot, decision)
        try:
            if failures:
                raise next(iter(failures.values()))
            return await self._act(key, observed, decision, versions)
        except ApiError:
            # What has been committed of trials stands, and the next pass will not tell of it again.
            told = (notice for notice in decision.notices if notice.trial and notice.trial.name not in failures)
            await self._tell(tuning_job.job, tuple(told))
            raise

    async def _act(self, key: JobKey, observed: Observed, decision: Decision, versions: Mapping[str, str]) -> Outcome:
        """Carry out what has been committed, and tell of it."""
        tuning_job, snapshot = observed.tuning_job, observed.snapshot
        await delete_attempts(self._cluster, key, snapshot.job, decision)
        if self._closing:
            return Outcome()
        pause, told, moved = await self._create_pods(key, observed, decision, versions)
        added = await self._add_trials(key, tuning_job, decision)
        self._watch_metrics(key, snapshot, decision)
        await self._tell(tuning_job.job, (*decision.notices, *told, *added))
        await self._write_job_status(key, observed, decision)
        look = None if observed.is_overheard or decision.phase.is_final else LOOK_AGAIN
        waits = [wait for wait in (decision.wake_after, pause, look) if wait is not None]
        return Outcome(again=bool(added) or moved, wake_after=min(waits, default=None))

    def close(self) -> None:
        """From now on record what is decided, and start nothing."""
        self._closing = True

    async def _delete_job(self, key: JobKey, tuning_job: TuningJob) -> Outcome:
        await self._cluster.delete_job(*key, tuning_job.job.uid, tuning_job.resource_version)
        logger.info("job %s/%s: deleted, as spec.ttlSecondsAfterFinished says", *key)
        self.forget(key)
        return Outcome()

    def forget(self, key: JobKey) -> None:
        """Drop what is remembered of a job that is gone."""
        self._poller.watch(key, {})
        self._suggester.forget(key)
        self._gauge.update(key, None)
        if self._job_metrics:
            self._job_metrics.forget(key)
        self._refusals.forget(key)
        self._parents.forget(key)
        self._identity.forget(key)

    def quota_freed(self, namespace: str) -> None:
        """Note that what may have used quota has ended."""
        self._refusals.freed(namespace, self._clock())

    async def report_failure(self, key: JobKey, message: str) -> None:
        """Show in the job's conditions that a pass failed, so that users need not read the operator's log.

        A job that has ended is left as it is, unless somebody waits for what an edit of it does.
        """
        try:
            body = await self._cluster.get_job(*key)
            status, generation = body.get("status") or {}, body["metadata"].get("generation", 1)
            if status.get("phase") in _FINAL_PHASES and status.get("observedGeneration") == generation:
                return
            failed = Condition(ConditionType.RECONCILED, "False", "ReconcileError", message[:MAX_MESSAGE])
            shown = ((item["type"], item["status"], item.get("message")) for item in status.get("conditions") or ())
            if (failed.type, failed.status, failed.message) in shown:
                return
            conditions = with_condition(status, failed, generation, self._clock())
            version = body["metadata"]["resourceVersion"]
            await self._cluster.patch_job_status(*key, {"conditions": conditions}, version)
        except ApiError as error:
            logger.warning("job %s/%s: its condition could not be written: %s", *key, error)

    def _conditions(self, key: JobKey) -> dict[str, Condition]:
        reconciled = Condition(ConditionType.RECONCILED, "True", "Reconciled", "the last pass succeeded")
        found: dict[str, Condition] = {reconciled.type: reconciled}
        about_metrics = self._poller.condition(key.namespace)
        if about_metrics is not None:
            found[about_metrics.type] = about_metrics
        refusal = self._refusals.condition(key)
        if refusal is not None:
            found[refusal.type] = refusal
        return found

    async def _commit_trials(
        self, snapshot: Snapshot, decision: Decision
    ) -> tuple[dict[str, BaseException], dict[str, str]]:
        """Write the statuses of the trials that changed.

        Returns:
            What failed, by the trial's name, and the versions of the others.
        """
        namespace = snapshot.job.namespace
        results = await asyncio.gather(
            *(
                self._cluster.patch_trial_status(
                    namespace, trial.name, render_trial_status(trial, snapshot.now), trial.resource_version
                )
                for trial in decision.changed
            ),
            return_exceptions=True,  # none of them may still be under way when the next pass begins
        )
        before = {trial.name: trial for trial in snapshot.trials}
        failures: dict[str, BaseException] = {}
        versions: dict[str, str] = {}
        for trial, result in zip(decision.changed, results, strict=True):
            if isinstance(result, BaseException):
                failures[trial.name] = result
                continue
            versions[trial.name] = result["metadata"]["resourceVersion"]
            known, status = before[trial.name].status, trial.status
            if status.stop and status.stop.early and not known.stop:
                metrics.EARLY_STOPS.labels(status.stop.reason).inc()
            if status.would_stop and not known.would_stop:
                metrics.DRY_RUN_STOPS.labels(status.would_stop.reason).inc()
        return failures, versions

    async def _create_pods(
        self, key: JobKey, observed: Observed, decision: Decision, versions: Mapping[str, str]
    ) -> tuple[timedelta | None, tuple[Notice, ...], bool]:
        """Create the Pods that are due.

        Returns:
            How long to wait with one that was refused, what to tell, and whether a name was taken.
        """
        snapshot = observed.snapshot
        if not decision.create_attempts:
            self._refusals.forget(key)
            return None, (), False
        held = held_slots(snapshot)
        pause = self._refusals.pause(key, held, snapshot.now)
        if pause is not None:
            return pause, (), False
        trials = decision.create_attempts
        due = [replace(item, resource_version=versions.get(item.name, item.resource_version)) for item in trials]
        made = await create_attempts(
            self._cluster, key, observed.tuning_job, self._while_open(due), self._identity, snapshot.now
        )
        if made.refusal is None:
            self._refusals.forget(key)
            return LOOK_AGAIN if made.waiting else None, tuple(made.notices), made.moved
        self._refusals.record(key, made.refusal, held, made.count, snapshot.now)
        return self._refusals.pause(key, held + made.count, snapshot.now), tuple(made.notices), made.moved

    async def _add_trials(self, key: JobKey, tuning_job: TuningJob, decision: Decision) -> tuple[Notice, ...]:
        """Commit the next suggestions, if they are computed; one notice for each trial that was added."""
        if decision.suggest is None:
            self._suggester.drop(key)
            return ()
        suggestions = self._while_open(self._suggester.take(key, decision.suggest) or ())
        return tuple(
            [await create_trial(self._cluster, key, tuning_job.job, item, self._identity) for item in suggestions]
        )

    def _while_open(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, each when it is asked for, and none any more once the operator is to end."""
        return takewhile(lambda _: not self._closing, items)

    def _watch_metrics(self, key: JobKey, snapshot: Snapshot, decision: Decision) -> None:
        metric, source = snapshot.job.spec.objective.metric, snapshot.job.spec.source
        gauges = source if isinstance(source, Gauges) else None
        interests = {}
        for trial in decision.trials:
            if trial.phase in {TrialPhase.RUNNING, TrialPhase.STOPPING, TrialPhase.COLLECTING}:
                name, pod = trial.reporter, snapshot.attempt(trial)
                created = pod.created if pod else trial.status.start_time
                interests[name] = Interest(
                    name, metric, created, trial.status.completion_time, gauges, trial.status.start_time
                )
        self._poller.watch(key, interests)

    async def _write_job_status(self, key: JobKey, observed: Observed, decision: Decision) -> None:
        """Write the fields of the job's status that differ; of a job that has ended, that its edits were seen."""
        tuning_job = observed.tuning_job
        job = tuning_job.job
        if job.phase.is_final and decision.phase.is_final:
            self._gauge.update(key, None)
            changes: dict[str, Any] = {"observedGeneration": job.generation} if job.is_edited else {}
            reconciled = observed.snapshot.conditions[ConditionType.RECONCILED]
            if job.conditions.get(ConditionType.RECONCILED, reconciled).status != reconciled.status:
                changes["conditions"] = with_condition(
                    tuning_job.status, reconciled, job.generation, observed.snapshot.now
                )
        else:
            summary = summarize(observed.snapshot, decision)
            self._gauge.update(key, summary.phases)
            if self._job_metrics:
                self._job_metrics.update(key, observed.snapshot, summary)
            status = render_job_status(summary, tuning_job.status, _texts(tuning_job, summary))
            changes = difference(tuning_job.status, status)
        if changes:
            await self._cluster.patch_job_status(*key, changes, tuning_job.resource_version)

    async def _tell(self, job: Job, notices: tuple[Notice, ...]) -> None:
        for notice in notices:
            await self._recorder.record(notice, job)


def _texts(tuning_job: TuningJob, summary: JobStatus) -> dict[str, str]:
    return tuning_job.job.spec.space.render(summary.best.parameters) if summary.best else {}
