"""Takes the snapshot of a job that a decision is made from."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names
from tuning_operator.api.attempts import attempt_kind, parse_attempts
from tuning_operator.api.job import TuningJob, parse_job
from tuning_operator.api.pods import build_pod, check_variables
from tuning_operator.api.sidecar import SIDECAR_REFUSED, without_sidecar
from tuning_operator.api.trial import parse_trial
from tuning_operator.core.lifecycle.nodes import lacks_pods
from tuning_operator.core.lifecycle.parents import readiness
from tuning_operator.core.lifecycle.slots import held_by_others
from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.core.model.snapshot import Snapshot
from tuning_operator.core.model.trial import Trial, TrialPhase
from tuning_operator.core.space import Categorical
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.reconciler.refusals import REFUSALS, refusal_condition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from tuning_operator.api.podoptions import PodOptions
    from tuning_operator.core.model.attempt import Attempt, Reading
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.space import Parameter, Value
    from tuning_operator.runtime.kubernetes.cluster import Body, Cluster
    from tuning_operator.runtime.queue import JobKey
    from tuning_operator.runtime.reconciler.parents import Parents


@dataclass(frozen=True, slots=True)
class Observed:
    """A job's object together with the snapshot taken of it."""

    tuning_job: TuningJob
    snapshot: Snapshot


async def observe(
    cluster: Cluster,
    key: JobKey,
    readings: Mapping[str, Reading],
    conditions: Mapping[str, Condition],
    metrics_since: datetime | None,
    now: datetime,
    image_pull_grace: timedelta,
    options: PodOptions,
    parents: Parents,
) -> Observed | None:
    """Return what the cluster looks like now; None when the job is gone or going.

    Raises:
        ApiError: The API server could not be asked.
        InvalidJobError: The job is not understood.
    """
    try:
        tuning_job = parse_job(await cluster.get_job(*key))
    except ApiError as error:
        if error.kind is ErrorKind.NOT_FOUND:
            return None
        raise
    job = tuning_job.job
    if job.deleting:
        return None
    trials = _trials(await cluster.list_trials(*key), job)
    attempts = await _attempts(cluster, key, trials, tuning_job, last_words=options.last_words)
    found = dict(conditions)
    held = held_by_others(trials, attempts)
    if held is not None and not job.phase.is_final:
        found[held.type] = held
    refused = await _refusal(cluster, tuning_job, trials, attempts, now, options)
    if refused is not None:
        found[refused.type] = refused
    recorded = job.conditions.get(ConditionType.TEMPLATE_VALID)
    if not job.phase.is_final and (recorded is None or recorded.status != "True"):
        found[ConditionType.TEMPLATE_VALID] = await _try_template(cluster, tuning_job, options)
    known = await parents.read(key, job, trials)
    if known:
        found[ConditionType.PARENTS_READY] = readiness(known, started=bool(trials))
    return Observed(
        tuning_job,
        Snapshot(job, trials, attempts, readings, now, metrics_since, image_pull_grace, found, known),
    )


def _trials(bodies: Sequence[Mapping[str, Any]], job: Job) -> tuple[Trial, ...]:
    own = (parse_trial(body, job.spec.space) for body in bodies if names.is_owned_by(body, job.uid))
    return tuple(sorted(own, key=lambda trial: trial.number))


async def _attempts(
    cluster: Cluster, key: JobKey, trials: Sequence[Trial], tuning_job: TuningJob, *, last_words: bool
) -> dict[str, tuple[Attempt, ...]]:
    """List the Pods, after the trials and the batch Jobs that they belong to, and bucket the attempts by trial."""
    kind = attempt_kind(tuning_job.job)
    if kind == "Pod":
        pods = await _whole(cluster, key, kind, await cluster.list_pods(*key), trials)
        return parse_attempts(tuning_job, trials, pods, last_words=last_words)
    batch_jobs = await _whole(cluster, key, kind, await cluster.list_batch_jobs(*key), trials)
    pods = await cluster.list_pods(*key)
    listed = {body["metadata"]["uid"] for body in pods}
    stopping = {trial.status.attempt_uid for trial in trials if trial.phase is TrialPhase.STOPPING}
    gone = cluster.departed.nodes({uid for uid in stopping if uid})
    pods += [body for body in gone if body["metadata"]["uid"] not in listed]
    return parse_attempts(tuning_job, trials, pods, batch_jobs, last_words=last_words)


async def _whole(cluster: Cluster, key: JobKey, kind: str, bodies: list[Body], trials: Sequence[Trial]) -> list[Body]:
    """Complete a list: what has a uid that a trial has recorded, and is not there, is gone.

    That is asked for by name once more: a list that lags behind must not make a training run twice.
    """
    listed = {body["metadata"]["uid"] for body in bodies}
    for trial in trials:
        if trial.phase.is_final or trial.status.attempt_uid is None or trial.status.attempt_uid in listed:
            continue
        try:
            bodies.append(await cluster.get_attempt(key.namespace, kind, trial.attempt_name))
        except ApiError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            gone = cluster.departed.pod(trial.status.attempt_uid)
            bodies += [gone] if gone else []
    return bodies


async def _refusal(
    cluster: Cluster,
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
                await cluster.create_attempt(tuning_job.job.namespace, body, dry_run=True)
            except ValueError as error:  # settings have changed since the template was accepted
                return refusal_condition(ApiError(ErrorKind.INVALID, str(error)))
            except ApiError as error:
                return refusal_condition(error) if error.kind in REFUSALS else None
            return None
    return None


async def _try_template(cluster: Cluster, tuning_job: TuningJob, options: PodOptions) -> Condition:
    """Ask the API server what it thinks of the Pod template, without creating anything.

    Raises:
        ApiError: It did not say; it is asked again soon.
    """
    job, kind = tuning_job.job, ConditionType.TEMPLATE_VALID
    sample = {parameter.name: _sample(parameter) for parameter in job.spec.space.parameters}
    probe = Trial(names.trial_name(job.name, 0), 0, sample, seed=0, uid=job.uid)
    try:
        # Whatever a template and the patterns in a specification cost, the jobs of others do not wait for it.
        body = await asyncio.to_thread(build_pod, job, tuning_job.template, probe, options)
        await asyncio.to_thread(check_variables, tuning_job.template, body)
    except ValueError as error:
        return Condition(kind, "False", "Refused", str(error))
    refusal = await _refusal_of(cluster, job.namespace, body)
    if refusal is None or refusal.kind is ErrorKind.QUOTA:  # which comes after all other checks
        return Condition(kind, "True", "Accepted", "the API server accepts the Pod template")
    bare = without_sidecar(body)
    if bare != body and await _refusal_of(cluster, job.namespace, bare) is None:
        refusal.message += SIDECAR_REFUSED
    if refusal.kind is ErrorKind.INVALID:
        return Condition(kind, "False", "Refused", refusal.message)
    return Condition(kind, "Unknown", refusal.kind, refusal.message)


async def _refusal_of(cluster: Cluster, namespace: str, body: Body) -> ApiError | None:
    """Why the API server would not create this; None if it would.

    Raises:
        ApiError: It did not say.
    """
    try:
        await cluster.create_attempt(namespace, body, dry_run=True)
    except ApiError as error:
        if error.kind in {ErrorKind.UNAVAILABLE, ErrorKind.CONFLICT}:
            raise
        return None if error.kind is ErrorKind.ALREADY_EXISTS else error  # that, too, comes after all other checks
    return None


def _sample(parameter: Parameter) -> Value:
    return parameter.values[0] if isinstance(parameter, Categorical) else parameter.minimum
