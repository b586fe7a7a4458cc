"""Takes the snapshot of a job on which a decision is based."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuning_operator.api import names
from tuning_operator.api.job import TuningJob, is_managed_elsewhere, parse_job
from tuning_operator.api.pods import build_pod, check_variables
from tuning_operator.api.sidecar import SIDECAR_REFUSED, without_sidecar
from tuning_operator.core.lifecycle.nodes import lacks_pods
from tuning_operator.core.lifecycle.parents import readiness
from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.core.model.snapshot import Snapshot
from tuning_operator.core.model.trial import Trial
from tuning_operator.core.report.remarks import remarks
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.reconciler.inventory import take_inventory
from tuning_operator.runtime.reconciler.refusals import REFUSALS, refusal_condition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tuning_operator.api.podoptions import PodOptions
    from tuning_operator.core.model.attempt import Attempt, Reading
    from tuning_operator.runtime.kubernetes.store import Store
    from tuning_operator.runtime.kubernetes.transport import Body
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
        found[ConditionType.TEMPLATE_VALID] = await _try_template(store, tuning_job, options)
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


async def _try_template(store: Store, tuning_job: TuningJob, options: PodOptions) -> Condition:
    """Ask the API server whether it accepts the Pod template, without creating anything.

    Raises:
        ApiError: It did not say; it is asked again soon.
    """
    job, kind = tuning_job.job, ConditionType.TEMPLATE_VALID
    sample = {parameter.name: parameter.nth(0) for parameter in job.spec.space.parameters}
    probe = Trial(names.trial_name(job.name, 0), 0, sample, seed=0, uid=job.uid)
    try:
        # Whatever a template and the patterns in a specification cost, the jobs of others do not wait for it.
        body = await asyncio.to_thread(build_pod, job, tuning_job.template, probe, options)
        await asyncio.to_thread(check_variables, tuning_job.template, body)
    except ValueError as error:
        return Condition(kind, "False", "Refused", str(error))
    refusal = await _refusal_of(store, job.namespace, body)
    if refusal is None or refusal.kind is ErrorKind.QUOTA:  # which comes after all other checks
        return Condition(kind, "True", "Accepted", "the API server accepts the Pod template")
    bare = without_sidecar(body)
    if bare != body and await _refusal_of(store, job.namespace, bare) is None:
        refusal.message += SIDECAR_REFUSED
    if refusal.kind is ErrorKind.INVALID:
        return Condition(kind, "False", "Refused", refusal.message)
    return Condition(kind, "Unknown", refusal.kind, refusal.message)


async def _refusal_of(store: Store, namespace: str, body: Body) -> ApiError | None:
    """Return why the API server would not create this; None if it would.

    Raises:
        ApiError: It did not say.
    """
    try:
        await store.create_attempt(namespace, body, dry_run=True)
    except ApiError as error:
        if error.kind in {ErrorKind.UNAVAILABLE, ErrorKind.CONFLICT}:
            raise
        return None if error.kind is ErrorKind.ALREADY_EXISTS else error  # that, too, comes after all other checks
    return None
