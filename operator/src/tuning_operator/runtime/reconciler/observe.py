"""Takes the snapshot of a job on which a decision is based."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning_operator.api.job import TuningJob, is_managed_elsewhere, parse_job
from tuning_operator.api.pods import build_pod
from tuning_operator.core.lifecycle.nodes import lacks_pods
from tuning_operator.core.lifecycle.parents import readiness
from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.core.model.snapshot import Snapshot
from tuning_operator.core.report.remarks import remarks
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.reconciler.inventory import take_inventory
from tuning_operator.runtime.reconciler.refusals import REFUSALS, refusal_condition
from tuning_operator.runtime.reconciler.template import try_template

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tuning_operator.api.podoptions import PodOptions
    from tuning_operator.core.model.attempt import Attempt, Reading
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.runtime.kubernetes.store import Store
    from tuning_operator.runtime.queue import JobKey
    from tuning_operator.runtime.reconciler.identity import Identity
    from tuning_operator.runtime.reconciler.parents import Parents


@dataclass(frozen=True, slots=True)
class Observed:
    """A job's object together with the snapshot taken of it.

    Attributes:
        is_overheard: Whether the watches tell of everything that is the job's: they go by labels.
    """

    tuning_job: TuningJob
    snapshot: Snapshot
    is_overheard: bool = True


async def observe(
    store: Store,
    key: JobKey,
    readings: Mapping[str, Reading],
    conditions: Mapping[str, Condition],
    metrics_since: datetime | None,
    now: datetime,
    parents: Parents,
    identity: Identity,
) -> Observed | None:
    """Return what the cluster looks like now; None when the job is gone or going, or another controller's.

    Raises:
        ApiError: The API server could not be asked.
        InvalidJobError: The job is not understood.
        InvalidTrialError: One of its trials is not.
    """
    try:
        body = await store.get_job(*key)
    except ApiError as error:
        if error.kind is ErrorKind.NOT_FOUND:
            return None
        raise
    if is_managed_elsewhere(body):
        return None
    tuning_job = parse_job(body)
    job, options = tuning_job.job, identity.options
    if job.deleting:
        return None
    there = await take_inventory(store, key, tuning_job, identity)
    trials, attempts = there.trials, there.attempts
    found = dict(conditions)
    if not job.phase.is_final:
        remark = remarks(trials, attempts, there.foreign, there.unlabelled)
        if remark and (remark.status == "False" or found[remark.type].status == "True"):
            found[remark.type] = remark
    refused = await _refusal(store, tuning_job, trials, attempts, now, options)
    if refused is not None:
        found[refused.type] = refused
    recorded = job.conditions.get(ConditionType.TEMPLATE_VALID)
    if not job.phase.is_final and (recorded is None or recorded.status != "True"):
        found[ConditionType.TEMPLATE_VALID] = await try_template(store, tuning_job, options)
    known = await parents.read(key, job, trials)
    if known:
        found[ConditionType.PARENTS_READY] = readiness(known, started=bool(trials))
    snapshot = Snapshot(job, trials, attempts, readings, now, metrics_since, options.image_pull_grace, found, known)
    return Observed(tuning_job, snapshot, is_overheard=not there.unlabelled)


async def _refusal(
    store: Store,
    tuning_job: TuningJob,
    trials: Sequence[Trial],
    attempts: Mapping[str, tuple[Attempt, ...]],
    now: datetime,
    options: PodOptions,
) -> Condition | None:
    """Ask, in the Job controller's place, why a batch Job still lacks Pods; None where nothing is refused."""
    for trial in trials:
        if any(lacks_pods(attempt, now) for attempt in attempts.get(trial.name, ())):
            try:
                body = build_pod(tuning_job.job, tuning_job.template, trial, options)
                await store.create_attempt(tuning_job.job.namespace, body, dry_run=True)
            except ValueError as error:  # settings have changed since the template was accepted
                return refusal_condition(ApiError(ErrorKind.INVALID, str(error)))
            except ApiError as error:
                return refusal_condition(error) if error.kind in REFUSALS else None
            return None
    return None
