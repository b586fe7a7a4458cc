"""Carries out decisions: creates trials and Pods, deletes Pods. A 409 means that the name is taken: see by whom."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.api import names
from tuning_operator.api.attempts import attempt_kind, build_attempt
from tuning_operator.api.batchjobs import build_service
from tuning_operator.api.trial import new_trial, parse_trial, render_status
from tuning_operator.api.values import time_in
from tuning_operator.core.lifecycle.slots import with_name_taken
from tuning_operator.core.model.notice import Notice
from tuning_operator.core.suggest import Source
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.reconciler.refusals import REFUSALS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import datetime

    from tuning_operator.api.job import TuningJob
    from tuning_operator.api.podoptions import PodOptions
    from tuning_operator.core.lifecycle.decision import Decision
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.suggest import Suggestion
    from tuning_operator.runtime.kubernetes.store import Store
    from tuning_operator.runtime.kubernetes.transport import Body
    from tuning_operator.runtime.queue import JobKey
    from tuning_operator.runtime.reconciler.identity import Identity

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 16
"""Pods of one pass that are created at the same time."""
PATIENCE = timedelta(minutes=1)
"""How long to wait for the name of an object that is being deleted; a finalizer could hold it forever."""


async def delete_attempts(store: Store, key: JobKey, job: Job, decision: Decision) -> None:
    """Delete the Pods that hold resources for nothing; with several nodes, their batch Job."""
    kind = attempt_kind(job)
    for attempt in decision.delete_attempts:
        await store.delete_attempt(key.namespace, kind, attempt.name, attempt.uid, attempt.resource_version)
        logger.info("job %s/%s: deleted %s %s", *key, kind, attempt.name)


@dataclass(slots=True)
class Created:
    """What happened to the attempts that were to be created.

    Attributes:
        count: How many now hold a slot.
        refusal: Why the API server refused one; none after it was tried.
        moved: Whether a trial takes its next name, since this one is somebody else's.
        waiting: Whether a name still belongs to something that is being deleted.
        pause: How long to wait before the next one; None if it may be tried at once.
        at_once: How many may be tried together next.
    """

    count: int = 0
    refusal: ApiError | None = None
    moved: bool = False
    waiting: bool = False
    pause: timedelta | None = None
    notices: list[Notice] = field(default_factory=list)
    at_once: int = 1

    def __add__(self, later: Created) -> Created:
        """Add the result of those that were tried afterwards."""
        return Created(
            self.count + later.count,
            later.refusal,
            self.moved or later.moved,
            self.waiting or later.waiting,
            later.pause,
            self.notices + later.notices,
            later.at_once,
        )


async def create_attempts(
    store: Store,
    key: JobKey,
    tuning_job: TuningJob,
    trials: Sequence[Trial],
    identity: Identity,
    now: datetime,
    sure: Collection[str],
    closing: Callable[[], bool],
    at_once: int = 1,
) -> Created:
    """Create the Pods of committed trials, until one is refused, and remember the uid of each.

    They are created side by side, at first `at_once`, then twice as many and so on, as Kubernetes' own controllers do:
    where a quota is full few are refused. With several nodes it is their batch Job that is created. What is recorded is
    the trial's own; of whatever else has its name it has to be found out. Trials that are not `sure`, since this pass
    has not written them, are asked for first: what is known of them may be old.

    Raises:
        ApiError: Conflict, when a trial has changed meanwhile.
    """
    result, begin = Created(at_once=at_once), 0
    while begin < len(trials) and result.refusal is None and not closing():
        several = trials[begin : begin + result.at_once]
        try:
            bodies = await asyncio.to_thread(_built, tuning_job, several, identity.options)
        except ValueError as error:  # settings have changed since the template was accepted
            _refuse(result, ApiError(ErrorKind.INVALID, str(error)), several[0])
            break
        made = await asyncio.gather(
            *(
                _see_to_attempt(store, key, tuning_job, trial, body, identity, now, result, asks=trial.name not in sure)
                for trial, body in zip(several, bodies, strict=True)
            ),
            return_exceptions=True,  # none of them may still be under way when the next pass begins
        )
        failure = next((error for error in made if error is not None), None)
        if failure is not None:
            raise failure
        begin += len(several)
        result.at_once = min(MOST_AT_ONCE, max(result.at_once, 2 * len(several)))
    return result


async def _see_to_attempt(
    store: Store,
    key: JobKey,
    tuning_job: TuningJob,
    trial: Trial,
    body: Body,
    identity: Identity,
    now: datetime,
    result: Created,
    *,
    asks: bool,
) -> None:
    if (
        asks
        and (await store.get_trial(key.namespace, trial.name))["metadata"]["resourceVersion"] != trial.resource_version
    ):
        raise ApiError(ErrorKind.CONFLICT, f"TuningTrial {trial.name} has changed since it was read")
    try:
        made: Body | None = await _create(store, key, tuning_job, trial, body)
    except ApiError as error:
        if error.kind in REFUSALS:
            _refuse(result, error, trial)
            return
        if error.kind is not ErrorKind.ALREADY_EXISTS:
            raise
        made = await _adopted(store, key, tuning_job, trial, identity, now, result)
    if made is not None:
        result.count += 1
        identity.of(key, tuning_job.job.uid).has(trial, made["metadata"]["uid"])


def _built(tuning_job: TuningJob, trials: Sequence[Trial], options: PodOptions) -> list[Body]:
    """What creates the attempts. A large template takes a tenth of a second each, so this is for beside the loop."""
    return [build_attempt(tuning_job, trial, options) for trial in trials]


def _refuse(result: Created, error: ApiError, trial: Trial) -> None:
    result.refusal = error
    result.notices.append(Notice("PodRefused", error.message, trial, warning=True))


async def _create(store: Store, key: JobKey, tuning_job: TuningJob, trial: Trial, body: Body) -> Body:
    if body["kind"] == "Job":
        await _see_to_service(store, tuning_job.job)
    made = await store.create_attempt(key.namespace, body)
    logger.info("job %s/%s: created %s %s", *key, body["kind"], trial.attempt_name)
    return made


async def _adopted(
    store: Store,
    key: JobKey,
    tuning_job: TuningJob,
    trial: Trial,
    identity: Identity,
    now: datetime,
    result: Created,
) -> Body | None:
    """Return the object that has an attempt's name if it is the trial's; else move the trial to its next name."""
    kind = attempt_kind(tuning_job.job)
    try:
        found = await store.get_attempt(key.namespace, kind, trial.attempt_name)
    except ApiError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
        raise ApiError(ErrorKind.CONFLICT, f"{kind} {trial.attempt_name} existed a moment ago") from error
    claim = await identity.claim(key, tuning_job, {trial.uid: trial}, found)
    if claim is not None and claim.trial is not None:
        return found
    gone_by = time_in(found["metadata"], "deletionTimestamp")
    if claim is not None or (gone_by and now - gone_by < PATIENCE):
        result.waiting = True
        return None
    after = with_name_taken(trial, kind, now)
    await store.patch_trial_status(key.namespace, trial.name, render_status(after, now), trial.resource_version)
    result.moved = True
    result.notices.append(Notice("NameTaken", after.status.message or "", after, warning=True))
    return None


async def _see_to_service(store: Store, job: Job) -> None:
    """Create the Service by which the nodes find each other, unless it is there."""
    body = build_service(job)
    try:
        await store.create_service(job.namespace, body)
    except ApiError as error:
        if error.kind is not ErrorKind.ALREADY_EXISTS:
            raise
        _check_owner(await store.get_service(job.namespace, body["metadata"]["name"]), job.uid)


@dataclass(frozen=True, slots=True)
class Added:
    """A trial that was committed; `trial` is None where an earlier pass had committed one under its number."""

    notice: Notice
    trial: Trial | None


async def create_trial(store: Store, key: JobKey, job: Job, suggestion: Suggestion, identity: Identity) -> Added:
    """Commit a suggestion as a TuningTrial; what an earlier pass has committed under its number stands."""
    body = new_trial(job, suggestion)
    name, made = body["metadata"]["name"], None
    try:
        made = parse_trial(await store.create_trial(job.namespace, body), job.spec)
    except ApiError as error:
        if error.kind is not ErrorKind.ALREADY_EXISTS:
            raise
        _check_owner(await store.get_trial(job.namespace, name), job.uid)
    identity.of(key, job.uid).saw(suggestion.number)
    if suggestion.source is Source.FALLBACK:
        return Added(Notice("SuggestionFallback", f"{name}: {suggestion.message}", warning=True), made)
    return Added(Notice("TrialCreated", f"{name} ({suggestion.source}): {suggestion.message}"), made)


def _check_owner(found: Body, job_uid: str) -> None:
    """Adopt an object that is the job's.

    Raises:
        ApiError: It belongs to somebody else, for example to an earlier job of the same name that is being collected.
    """
    if not names.is_controlled_by(found, names.JOB_KIND, job_uid):
        name, kind = found["metadata"]["name"], found.get("kind", "object")
        raise ApiError(
            ErrorKind.UNAVAILABLE,
            f"{kind} {name} exists and belongs to another owner; this job continues once it is deleted",
        )
