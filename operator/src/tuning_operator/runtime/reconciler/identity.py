"""Distinguishes a job's own objects from those that only claim to be: by controllers' uids and what Pods run.

Labels only say where to look. Whoever may create Pods in a namespace can give them any label, name and owner, so a Pod
is believed only if it runs what the operator would have had it run. Pods may be large: they are built and compared
beside the loop that works for all jobs.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names
from tuning_operator.api.attempts import build_attempt, claim_of
from tuning_operator.api.likeness import is_like, is_same, node_template
from tuning_operator.api.once import Once
from tuning_operator.api.podfacts import has_ended
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from tuning_operator.api.attempts import Claim
    from tuning_operator.api.job import TuningJob
    from tuning_operator.api.podoptions import PodOptions
    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.runtime.kubernetes.store import Store
    from tuning_operator.runtime.kubernetes.transport import Body
    from tuning_operator.runtime.queue import JobKey

logger = logging.getLogger(__name__)

LOOKUPS = 10
"""Number of trials missing from the list that one pass asks for because Pods name them."""
_TRIED = 999_999_999
"""Number of the attempt in whose name the API server is asked what it would make of a Pod: none gets so far."""


@dataclass(frozen=True, slots=True)
class Own:
    """A trial of a job, and whether it has the job's label."""

    trial: Trial
    labelled: bool


@dataclass(slots=True)
class Known:
    """What is known about a job's objects; a restart finds it out again.

    Attributes:
        own: Uids of objects that are the job's: they were compared, or their trial is gone.
        foreign: Uids of objects that claim to be what they are not.
        held: What held a slot when last seen, by kind and name: if it is not listed any more, its label may be
            gone.
        absent: Numbers of trials that were asked for and do not exist.
        highest: The highest number of a trial that was seen.
        trials: What each TuningTrial with the job's label is: the job's, or the name of one that is nobody's, or none.
        pods: The parsed Pods of the job.
        attempts: Uids of attempts that were created and are not recorded yet, by their trial's uid and their name.
    """

    job_uid: str
    own: set[str] = field(default_factory=set)
    foreign: set[str] = field(default_factory=set)
    held: dict[tuple[str, str], str] = field(default_factory=dict)
    absent: set[int] = field(default_factory=set)
    highest: int = 0
    lookups: int = 0
    trials: Once[Own | str | None] = field(default_factory=Once)
    pods: Once[Attempt] = field(default_factory=Once)
    attempts: dict[tuple[str, str], str] = field(default_factory=dict)

    def has_judged(self, uid: str) -> bool:
        """Whether it has been found out about an object."""
        return uid in self.own or uid in self.foreign

    def keep(self, uids: AbstractSet[str], held: Mapping[tuple[str, str], str]) -> None:
        """Forget what is not there any more."""
        self.own &= uids
        self.foreign &= uids
        self.held = dict(held)
        self.pods.keep(uids)

    def has(self, trial: Trial, uid: str) -> None:
        """Note that the API server has a trial's attempt; it is recorded with what is next seen of it."""
        self.attempts[trial.uid, trial.attempt_name] = uid

    def with_attempts(self, trials: Iterable[Trial]) -> tuple[Trial, ...]:
        """Return the trials with the uids of attempts that are not recorded yet."""
        uids = self.attempts
        self.attempts = {}
        return tuple(self._with_attempt(trial, uids.get((trial.uid, trial.attempt_name))) for trial in trials)

    def _with_attempt(self, trial: Trial, uid: str | None) -> Trial:
        if uid is None or trial.status.attempt_uid is not None:
            return trial
        self.has(trial, uid)
        return replace(trial, status=replace(trial.status, attempt_uid=uid))

    def saw(self, number: int) -> None:
        """Note that a trial exists."""
        self.highest = max(self.highest, number)
        self.absent.discard(number)


class Identity:
    """What is known of the objects of all jobs."""

    def __init__(self, store: Store, options: PodOptions) -> None:
        self._store = store
        self.options = options
        self._known: dict[JobKey, Known] = {}

    def of(self, key: JobKey, job_uid: str) -> Known:
        """What is known of a job's objects."""
        known = self._known.get(key)
        if known is None or known.job_uid != job_uid:
            known = self._known[key] = Known(job_uid)
        return known

    def forget(self, key: JobKey) -> None:
        """Drop what is known of a job that is gone."""
        self._known.pop(key, None)

    async def claim(self, key: JobKey, tuning_job: TuningJob, trials: Mapping[str, Trial], body: Body) -> Claim | None:
        """Return what an object claims, if that is true; None when it is not the job's.

        Args:
            key: The job.
            tuning_job: The job.
            trials: The job's trials by uid.
            body: A Pod, or a batch Job.

        Raises:
            ApiError: The API server could not be asked; Conflict, when the list of trials was out of date.
        """
        claim = claim_of(body, key.name, trials)
        if claim is None:
            return None
        known, trial = self.of(key, tuning_job.job.uid), claim.trial
        if trial is not None and claim.number < trial.status.attempt:
            return claim  # left behind by an earlier attempt, or made to look so: to be deleted in either case
        if trial is not None and claim.number == trial.status.attempt and trial.status.attempt_uid is not None:
            return claim if trial.status.attempt_uid == claim.uid else None
        if not known.has_judged(claim.uid):
            if trial is None and known.lookups >= LOOKUPS:
                return claim  # not known yet: it holds a slot until its trial has been asked for, in a later pass
            true = await self._is_true(key, tuning_job, claim, known)
            (known.own if true else known.foreign).add(claim.uid)
        return claim if claim.uid in known.own else None

    async def _is_true(self, key: JobKey, tuning_job: TuningJob, claim: Claim, known: Known) -> bool:
        trial = claim.trial
        if trial is None:
            known.lookups += 1
            return await self._is_collected(key, claim.owner, claim.owner_uid, known)
        if claim.number > trial.status.attempt:
            recorded = (await self._store.get_trial(key.namespace, trial.name)).get("status") or {}
            if recorded.get("attempt", 1) >= claim.number:
                raise ApiError(ErrorKind.CONFLICT, f"{claim.name} is of an attempt that was not listed yet")
            return False
        try:
            wanted = await asyncio.to_thread(build_attempt, tuning_job, trial, self.options)
        except ValueError:
            return False  # from this template nothing can have been made
        return await self._runs(key, claim.body, wanted, trial, or_else=False)

    async def _is_collected(self, key: JobKey, owner: str, uid: str, known: Known) -> bool:
        """Whether what names an unknown trial is what an earlier trial, or an earlier job of the name, left behind."""
        try:
            trial = await self._store.get_trial(key.namespace, owner)
        except ApiError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            return True
        if trial["metadata"]["uid"] != uid:
            return True
        if names.is_controlled_by(trial, names.JOB_KIND, known.job_uid):
            known.saw(trial["spec"]["number"])
            raise ApiError(ErrorKind.CONFLICT, f"TuningTrial {owner} exists and was not listed")
        job = names.controller_of(trial)
        return names.is_ours(job, names.JOB_KIND) and bool(job["name"] == key.name)

    async def is_node(self, key: JobKey, job_uid: str, claim: Claim, pod: Body) -> bool:
        """Whether a Pod that its batch Job controls runs what the batch Job says; where that is not known it does."""
        uid, known = str(pod["metadata"]["uid"]), self.of(key, job_uid)
        if claim.trial is None or "template" not in claim.body["spec"]:
            return True
        if "nodeName" not in pod["spec"] and has_ended(pod) and not known.has_judged(uid):
            # It is gone, and what is remembered of it does not say what it ran.
            return bool(pod["metadata"]["name"] == claim.trial.status.reporter)
        if not known.has_judged(uid):
            true = await self._runs(key, pod, node_template(claim.body), claim.trial, or_else=True)
            (known.own if true else known.foreign).add(uid)
        return uid in known.own

    async def _runs(
        self, key: JobKey, found: Mapping[str, Any], wanted: Mapping[str, Any], trial: Trial, *, or_else: bool
    ) -> bool:
        """Whether an object runs what is wanted, with the API server's help where its admission plugins add to it.

        Raises:
            ApiError: Conflict, when there is another object of its name by now; or it could not be asked.
        """
        kind, name = "Job" if "template" in found["spec"] else "Pod", found["metadata"]["name"]
        try:  # what is kept does not say what it runs
            whole = await self._store.get_attempt(key.namespace, kind, name)
        except ApiError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            raise ApiError(ErrorKind.CONFLICT, f"{kind} {name} existed a moment ago") from error
        if whole["metadata"]["uid"] != found["metadata"]["uid"]:
            raise ApiError(ErrorKind.CONFLICT, f"{kind} {name} has been replaced")
        found = whole
        if await asyncio.to_thread(is_like, found, wanted):
            return True
        owner = names.owner_reference(names.TRIAL_KIND, trial.name, trial.uid)
        kept = {name: wanted["metadata"].get(name) for name in ("labels", "annotations")}
        metadata = {**kept, "name": f"{trial.name}-{_TRIED}", "namespace": key.namespace, "ownerReferences": [owner]}
        body = {"apiVersion": "v1", "kind": "Pod", **wanted, "metadata": metadata}
        try:
            tried = await self._store.create_attempt(key.namespace, body, dry_run=True)
        except ApiError as error:
            if error.kind in {ErrorKind.UNAVAILABLE, ErrorKind.CONFLICT}:
                raise
            logger.warning("job %s/%s: %s cannot be compared: %s", *key, found["metadata"]["name"], error)
            return or_else
        return await asyncio.to_thread(is_same, found, tried)
