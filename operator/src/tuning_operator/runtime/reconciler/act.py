"""Carries out decisions: creates trials and Pods, deletes Pods. A 409 means that somebody was here before: look who."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tuning_operator.api import names
from tuning_operator.api.attempts import attempt_kind, build_attempt
from tuning_operator.api.batchjobs import build_service
from tuning_operator.api.trial import new_trial
from tuning_operator.core.model.notice import Notice
from tuning_operator.core.suggest import Source
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.reconciler.refusals import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tuning_operator.api.job import TuningJob
    from tuning_operator.api.podoptions import PodOptions
    from tuning_operator.core.lifecycle.decision import Decision
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.suggest import Suggestion
    from tuning_operator.runtime.kubernetes.cluster import Body, Cluster
    from tuning_operator.runtime.queue import JobKey

logger = logging.getLogger(__name__)


async def delete_attempts(cluster: Cluster, key: JobKey, job: Job, decision: Decision) -> None:
    """Delete the Pods that hold resources for nothing; those of several nodes go with their batch Job."""
    kind = attempt_kind(job)
    for attempt in decision.delete_attempts:
        await cluster.delete_attempt(key.namespace, kind, attempt.name, attempt.uid, attempt.resource_version)
        logger.info("job %s/%s: deleted %s %s", *key, kind, attempt.name)


async def create_attempts(
    cluster: Cluster, key: JobKey, tuning_job: TuningJob, trials: Iterable[Trial], options: PodOptions
) -> tuple[int, ApiError | None]:
    """Create the Pods of committed trials, until one is refused; returns how many there are, and the refusal.

    With several nodes it is their batch Job that is created.

    Raises:
        ApiError: Conflict, when a Pod is there already: the list of them was out of date.
    """
    job = tuning_job.job
    created = 0
    for trial in trials:
        try:
            body = build_attempt(tuning_job, trial, options)
        except ValueError as error:  # settings have changed since the template was accepted
            return created, ApiError(ErrorKind.INVALID, str(error))
        name, kind = body["metadata"]["name"], body["kind"]
        try:
            if kind == "Job":
                await _see_to_service(cluster, job)
            await cluster.create_attempt(key.namespace, body)
        except ApiError as error:
            if error.kind in REFUSALS:
                return created, error
            if error.kind is not ErrorKind.ALREADY_EXISTS:
                raise
            _check_owner(await cluster.get_attempt(key.namespace, kind, name), trial.uid, body)
            raise ApiError(ErrorKind.CONFLICT, f"{kind} {name} was not listed, and exists") from error
        created += 1
        logger.info("job %s/%s: created %s %s", *key, kind, name)
    return created, None


async def _see_to_service(cluster: Cluster, job: Job) -> None:
    """Create the Service by which the nodes find each other, unless it is there."""
    body = build_service(job)
    try:
        await cluster.create_service(job.namespace, body)
    except ApiError as error:
        if error.kind is not ErrorKind.ALREADY_EXISTS:
            raise
        _check_owner(await cluster.get_service(job.namespace, body["metadata"]["name"]), job.uid)


async def create_trial(cluster: Cluster, job: Job, suggestion: Suggestion) -> Notice:
    """Commit a suggestion as a TuningTrial; what an earlier pass has committed under its number stands."""
    body = new_trial(job, suggestion)
    name = body["metadata"]["name"]
    try:
        await cluster.create_trial(job.namespace, body)
    except ApiError as error:
        if error.kind is not ErrorKind.ALREADY_EXISTS:
            raise
        found = await cluster.get_trial(job.namespace, name)
        _check_owner(found, job.uid)
        if (found["metadata"].get("labels") or {}).get(names.LABEL_JOB) != job.name:
            # Not listed for want of the label, it would be proposed, and found to exist, again and again.
            lost = f"TuningTrial {name} has lost its label: give it back {names.LABEL_JOB}={job.name}"
            raise ApiError(ErrorKind.UNAVAILABLE, lost) from error
    if suggestion.source is Source.FALLBACK:
        return Notice("SuggestionFallback", f"{name}: {suggestion.message}", warning=True)
    return Notice("TrialCreated", f"{name} ({suggestion.source}): {suggestion.message}")


def _check_owner(found: Body, owner_uid: str, wanted: Body | None = None) -> None:
    """Adopt an object that is ours.

    Raises:
        ApiError: It belongs to somebody else, for example to an earlier job of the same name that is being collected.
    """
    name, kind = found["metadata"]["name"], found.get("kind", "object")
    if not names.is_owned_by(found, owner_uid):
        raise ApiError(
            ErrorKind.UNAVAILABLE,
            f"{kind} {name} exists and belongs to another owner; it has to be deleted before this job goes on",
        )
    if wanted is not None and _hash(found) != _hash(wanted):
        raise ApiError(
            ErrorKind.UNAVAILABLE,
            f"{kind} {name} runs other parameters than its trial has; delete it to go on",
        )


def _hash(body: Body) -> object:
    return (body["metadata"].get("annotations") or {}).get(names.ANNOTATION_PARAMETERS_HASH)
