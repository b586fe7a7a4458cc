"""Writes the status of a job: what a pass has changed of it, or that a pass has failed."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tuning_operator.api.job import is_managed_elsewhere, render_status, with_condition
from tuning_operator.api.pods import model_folder
from tuning_operator.core.model.conditions import MAX_MESSAGE, Condition, ConditionType
from tuning_operator.core.model.job import JobPhase
from tuning_operator.core.report.summary import summarize
from tuning_operator.runtime.kubernetes.errors import ApiError
from tuning_operator.runtime.reconciler.patches import difference

if TYPE_CHECKING:
    from datetime import datetime

    from tuning_operator.api.job import TuningJob
    from tuning_operator.core.lifecycle.decision import Decision
    from tuning_operator.core.report.summary import JobStatus
    from tuning_operator.runtime.job_metrics import JobMetrics
    from tuning_operator.runtime.kubernetes.store import Store
    from tuning_operator.runtime.metrics import TrialGauge
    from tuning_operator.runtime.queue import JobKey
    from tuning_operator.runtime.reconciler.observe import Observed

logger = logging.getLogger(__name__)

_FINAL_PHASES = {phase.value for phase in JobPhase if phase.is_final}
_CAN_WAIT = frozenset(
    {"cost", "earlyStopping", "objectiveCounts", "progress", "suggestion", "totalTrainingSeconds", "trialCounts"}
)
"""Fields that change with each trial. Where trials are many, one write shows what several have changed."""
LEAST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(seconds=5)
"""Between two writes of these fields alone: by a pass that comes by itself, and at the latest."""


class JobStatuses:
    """The statuses of all jobs, as users and metrics see them."""

    def __init__(self, store: Store, gauge: TrialGauge, job_metrics: JobMetrics | None) -> None:
        self._store = store
        self._gauge = gauge
        self._job_metrics = job_metrics
        self._written: dict[JobKey, tuple[str, datetime]] = {}

    def has_written(self, key: JobKey, version: str) -> bool:
        """Whether a pass wrote this version of a job, so that its event is no news."""
        known = self._written.get(key)
        return known is not None and known[0] == version

    async def write(self, key: JobKey, observed: Observed, decision: Decision) -> timedelta | None:
        """Write the fields of the job's status that differ; of an ended job, that its edits were seen.

        Returns:
            When to look again, since what differs can wait; None where nothing is left to write.
        """
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
            status = render_status(summary, tuning_job.status, *_of_the_best(tuning_job, summary))
            changes = difference(tuning_job.status, status)
        if not changes:
            return None
        now, known = observed.snapshot.now, self._written.get(key)
        if known is not None and changes.keys() <= _CAN_WAIT and now - known[1] < LEAST_PAUSE:
            return known[1] + LONGEST_PAUSE - now
        made = await self._store.patch_job_status(*key, changes, tuning_job.resource_version)
        self._written[key] = made["metadata"]["resourceVersion"], now
        return None

    async def report_failure(self, key: JobKey, message: str, now: datetime) -> None:
        """Show in the job's conditions that a pass failed, so that users need not read the operator's log.

        A job that has ended is left as it is, unless somebody waits for what an edit of it does.
        """
        try:
            body = await self._store.get_job(*key)
            if is_managed_elsewhere(body):
                return
            status, generation = body.get("status") or {}, body["metadata"].get("generation", 1)
            if status.get("phase") in _FINAL_PHASES and status.get("observedGeneration") == generation:
                return
            failed = Condition(ConditionType.RECONCILED, "False", "ReconcileError", message[:MAX_MESSAGE])
            shown = ((item["type"], item["status"], item.get("message")) for item in status.get("conditions") or ())
            if (failed.type, failed.status, failed.message) in shown:
                return
            conditions = with_condition(status, failed, generation, now)
            version = body["metadata"]["resourceVersion"]
            await self._store.patch_job_status(*key, {"conditions": conditions}, version)
        except ApiError as error:
            logger.warning("job %s/%s: its condition could not be written: %s", *key, error)

    def forget(self, key: JobKey) -> None:
        """Drop a job that is gone."""
        self._written.pop(key, None)
        self._gauge.update(key, None)
        if self._job_metrics:
            self._job_metrics.forget(key)


def _of_the_best(tuning_job: TuningJob, summary: JobStatus) -> tuple[dict[str, str], str | None]:
    """The best trial's parameters as texts, and the folder of its models."""
    if summary.best is None:
        return {}, None
    texts = tuning_job.job.spec.space.render(summary.best.parameters)
    return texts, model_folder(tuning_job.template, summary.best)
