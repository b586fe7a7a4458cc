"""Takes the snapshot of a job that a decision is made from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names
from tuning_operator.api.batchjobs import parse_attempts
from tuning_operator.api.job import TuningJob, parse_job
from tuning_operator.api.podfacts import parse_pod
from tuning_operator.api.pods import build_pod, training_container_name
from tuning_operator.api.trial import parse_trial
from tuning_operator.core.lifecycle.nodes import lacks_pods
from tuning_operator.core.lifecycle.parents import readiness
from tuning_operator.core.model.conditions import Condition, ConditionType
from tuning_operator.core.model.snapshot import Snapshot
from tuning_operator.core.model.trial import Trial
from tuning_operator.core.space import Categorical
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.reconciler.refusals import REFUSALS, refusal_condition

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from tuning_operator.core.model.attempt import PodFacts, Reading
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.space import Parameter, Value
    from tuning_operator.runtime.kubernetes.cluster import Body, Cluster
    from tuning_operator.runtime.queue import JobKey
    from tuning_operator.runtime.reconciler.parents import Parents


_NAMED = 10
"""As many Pods are named in a message."""


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
    now: datetime,
    image_pull_grace: timedelta,
    sidecar_image: str,
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
    pods = await _attempts(cluster, key, trials, tuning_job)
    found = dict(conditions)
    held = _held_by_others(trials, pods)
    if held is not None and not job.phase.is_final:
        found[held.type] = held
    refused = await _refusal(cluster, tuning_job, trials, pods, now, sidecar_image)
    if refused is not None:
        found[refused.type] = refused
    recorded = job.conditions.get(ConditionType.TEMPLATE_VALID)
    if not job.phase.is_final and (recorded is None or recorded.status != "True"):
        found[ConditionType.TEMPLATE_VALID] = await _try_template(cluster, tuning_job, sidecar_image)
    known = await parents.read(key, job, trials)
    if known:
        found[ConditionType.PARENTS_READY] = readiness(known, started=bool(trials))
    return Observed(
        tuning_job,
        Snapshot(job, trials, pods, readings, now, image_pull_grace, found, known),
    )


def _trials(bodies: Sequence[Mapping[str, Any]], job: Job) -> tuple[Trial, ...]:
    own = (parse_trial(body, job.spec.space) for body in bodies if names.is_owned_by(body, job.uid))
    return tuple(sorted(own, key=lambda trial: trial.number))


async def _attempts(
    cluster: Cluster, key: JobKey, trials: Sequence[Trial], tuning_job: TuningJob
) -> dict[str, tuple[PodFacts, ...]]:
    """List the Pods, after the trials and the batch Jobs that they belong to, and bucket the attempts by trial."""
    container = training_container_name(tuning_job.template)
    metric = tuning_job.job.spec.objective.metric
    if tuning_job.job.spec.nodes == 1:
        pods = await _whole(await cluster.list_pods(*key), cluster.get_pod, key, trials)
        return _pods(pods, trials, container, metric)
    jobs = await _whole(await cluster.list_batch_jobs(*key), cluster.get_batch_job, key, trials)
    return parse_attempts(jobs, await cluster.list_pods(*key), trials, container, metric)


async def _whole(
    bodies: list[Body], get: Callable[[str, str], Awaitable[Body]], key: JobKey, trials: Sequence[Trial]
) -> list[Body]:
    """Complete a list: what has a uid that a trial has recorded, and is not there, is gone.

    That is asked for by name once more: a list that lags behind must not make a training run twice.
    """
    listed = {body["metadata"]["uid"] for body in bodies}
    for trial in trials:
        if trial.phase.is_final or trial.status.pod_uid is None or trial.status.pod_uid in listed:
            continue
        try:
            bodies.append(await get(key.namespace, trial.pod_name))
        except ApiError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
    return bodies


def _pods(
    bodies: Sequence[Mapping[str, Any]], trials: Sequence[Trial], container: str, metric: str
) -> dict[str, tuple[PodFacts, ...]]:
    """Bucket the Pods by the trial that owns them.

    A Pod whose trial somebody deleted is about to end, and holds its slot until then. A new trial may have the old
    one's name, but not its uid. Whoever may create Pods can make one that pretends to be owned: names tell.
    """
    by_uid = {trial.uid: trial.name for trial in trials}
    buckets: defaultdict[str, list[PodFacts]] = defaultdict(list)
    for body in bodies:
        for reference in body["metadata"].get("ownerReferences") or ():
            trial = by_uid.get(reference["uid"], reference["name"])
            attempt = names.attempt_number(body["metadata"]["name"], trial)
            if reference["kind"] == names.TRIAL_KIND and attempt:
                owner = trial if reference["uid"] in by_uid else reference["uid"]
                buckets[owner].append(parse_pod(body, attempt, container, metric))
    return {trial: tuple(pods) for trial, pods in buckets.items()}


def _held_by_others(trials: Sequence[Trial], pods: Mapping[str, Sequence[PodFacts]]) -> Condition | None:
    """Say which Pods of trials that are not the job's hold slots, and nobody has asked for their deletion.

    Of a trial that was deleted, and of an earlier job of this name, the garbage collector deletes the Pods. But if a
    job is deleted and created anew while the collector's watch is interrupted, as an edit of the CRD does it, the
    collector does not learn that the first one is gone.
    """
    own = {trial.name for trial in trials}
    others = (pod for owner, attempts in pods.items() if owner not in own for pod in attempts)
    running = sorted(pod.name for pod in others if not pod.ended and not pod.deleting)
    if not running:
        return None
    told = f"{', '.join(running[:_NAMED])}{' and others' if len(running) > _NAMED else ''}"
    remedy = (
        "if the garbage collector does not do so within a minute, delete their TuningTrials, or the Pods themselves"
    )
    message = f"slots are held by Pods of trials that are not this job's, and that nobody deletes: {told}; {remedy}"
    return Condition(ConditionType.RECONCILED, "False", "SlotsHeld", message)


async def _refusal(
    cluster: Cluster,
    tuning_job: TuningJob,
    trials: Sequence[Trial],
    pods: Mapping[str, tuple[PodFacts, ...]],
    now: datetime,
    sidecar_image: str,
) -> Condition | None:
    """Ask, in the Job controller's place, why a batch Job still lacks Pods; None where nothing is refused."""
    for trial in trials:
        if any(lacks_pods(pod, now) for pod in pods.get(trial.name, ())):
            try:
                body = build_pod(tuning_job.job, tuning_job.template, trial, sidecar_image)
                await cluster.create_pod(tuning_job.job.namespace, body, dry_run=True)
            except ApiError as error:
                return refusal_condition(error) if error.kind in REFUSALS else None
            return None
    return None


async def _try_template(cluster: Cluster, tuning_job: TuningJob, sidecar_image: str) -> Condition:
    """Ask the API server what it thinks of the Pod template, without creating anything.

    Raises:
        ApiError: It did not say; it is asked again soon.
    """
    job = tuning_job.job
    sample = {parameter.name: _sample(parameter) for parameter in job.spec.space.parameters}
    probe = Trial(names.trial_name(job.name, 0), 0, sample, seed=0, uid=job.uid)
    try:
        body = build_pod(job, tuning_job.template, probe, sidecar_image)
        await cluster.create_pod(job.namespace, body, dry_run=True)
    except ValueError as error:
        return Condition(ConditionType.TEMPLATE_VALID, "False", "Refused", str(error))
    except ApiError as error:
        if error.kind in {ErrorKind.UNAVAILABLE, ErrorKind.CONFLICT}:
            raise
        if error.kind is ErrorKind.INVALID:
            return Condition(ConditionType.TEMPLATE_VALID, "False", "Refused", error.message)
        if error.kind not in {ErrorKind.QUOTA, ErrorKind.ALREADY_EXISTS}:  # both come after all other checks
            return Condition(ConditionType.TEMPLATE_VALID, "Unknown", error.kind, error.message)
    return Condition(ConditionType.TEMPLATE_VALID, "True", "Accepted", "the API server accepts the Pod template")


def _sample(parameter: Parameter) -> Value:
    return parameter.values[0] if isinstance(parameter, Categorical) else parameter.minimum
