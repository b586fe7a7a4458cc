"""Lists what a job has: its trials and their attempts, those included whose labels somebody removed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tuning_operator.api import names
from tuning_operator.api.attempts import attempt_kind, claim_of, is_over, parse_attempts
from tuning_operator.api.batchjobs import gone_batch_job, node_of
from tuning_operator.api.trial import parse_trial
from tuning_operator.core.model.spec import PodCleanup
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.reconciler.identity import LOOKUPS, Own

if TYPE_CHECKING:
    from collections.abc import Awaitable, Container, Iterable, Mapping

    from tuning_operator.api.attempts import Claim
    from tuning_operator.api.job import TuningJob
    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.runtime.kubernetes.store import Store
    from tuning_operator.runtime.kubernetes.transport import Body
    from tuning_operator.runtime.queue import JobKey
    from tuning_operator.runtime.reconciler.identity import Identity, Known


MAX_NUMBER = 100_000
"""The highest number of a trial, ten times `limits.maxTrials`: a higher one is not the operator's."""
MAX_MISSING = 1000
"""Number of missing trials that one pass asks for."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a job has.

    Attributes:
        foreign: Names of trials, Pods and batch Jobs that claim to be the job's and are not.
        unlabelled: Kinds and names of the job's objects without its label.
    """

    trials: tuple[Trial, ...]
    attempts: Mapping[str, tuple[Attempt, ...]]
    foreign: tuple[str, ...] = ()
    unlabelled: tuple[tuple[str, str], ...] = ()


async def take_inventory(store: Store, key: JobKey, tuning_job: TuningJob, identity: Identity) -> Inventory:
    """Return what a job has: the trials first, then the batch Jobs, then the Pods.

    Raises:
        ApiError: The API server could not be asked.
        InvalidTrialError: A trial is not understood.
    """
    known = identity.of(key, tuning_job.job.uid)
    known.lookups = 0
    store.begin(key)
    if await _is_over(store, key, tuning_job.job, known):
        store.forget(key)
        identity.forget(key)
        return Inventory((), {})
    found, foreign = await _trials(store, key, tuning_job, known)
    trials = known.with_attempts(sorted((each.trial for each in found), key=lambda trial: trial.number))
    work = _Search(store, key, tuning_job, identity, {trial.uid: trial for trial in trials})
    attempts = await work.attempts()
    unlabelled = [(names.TRIAL_KIND, each.trial.name) for each in found if not each.labelled]
    return Inventory(
        trials, attempts, tuple(sorted(work.foreign | foreign)), (*sorted(unlabelled), *sorted(work.unlabelled))
    )


async def _is_over(store: Store, key: JobKey, job: Job, known: Known) -> bool:
    """Whether a job has ended and has nothing left to delete, so that its trials need not be read.

    Whatever held a slot when last seen is looked up by name, listed or not.
    """
    if not job.phase.is_final or job.is_edited or known.held:
        return False
    left = await store.pods(key)
    if attempt_kind(job) == "Job":
        left += await store.batch_jobs(key)
    keeps = job.spec.pod_cleanup is PodCleanup.KEEP
    return all("deletionTimestamp" in body["metadata"] or (keeps and is_over(body)) for body in left)


async def _trials(store: Store, key: JobKey, tuning_job: TuningJob, known: Known) -> tuple[list[Own], set[str]]:
    """List a job's trials; those that are missing among the numbers that have been given out are asked for by name.

    One that somebody deleted is asked for once.

    Returns:
        The trials, and the names of those that have the job for their owner and a number that is not theirs.
    """
    job = tuning_job.job
    bodies = await store.trials(key)
    read = [known.trials.of(body, partial(_read, body, job)) for body in bodies]
    own = [each for each in read if isinstance(each, Own)]
    foreign = {each for each in read if isinstance(each, str)}
    numbers = {each.trial.number for each in own}
    recorded = sum((tuning_job.status.get("trialCounts") or {}).values())
    known.highest = max(known.highest, min(recorded, MAX_NUMBER), *numbers, 0)
    known.absent -= numbers
    for number in sorted(set(range(1, known.highest + 1)) - numbers - known.absent)[:MAX_MISSING]:
        body = await _found(store.get_trial(key.namespace, names.trial_name(job.name, number)))
        found = known.trials.of(body, partial(_read, body, job)) if body else None
        if body is not None and isinstance(found, Own):
            bodies.append(body)
            own.append(found)
        else:
            known.absent.add(number)
    known.trials.keep({body["metadata"]["uid"] for body in bodies})
    return own, foreign


def _read(body: Body, job: Job) -> Own | str | None:
    """Read a TuningTrial.

    Returns:
        The job's trial; the name of one that has the job for its owner and a number that is not its own; None for one
        of an earlier job of the same name.

    Raises:
        InvalidTrialError: The trial is not understood.
    """
    if not names.is_controlled_by(body, names.JOB_KIND, job.uid):
        return None
    if not _is_numbered(body, job.name):
        return str(body["metadata"]["name"])
    return Own(parse_trial(body, job.spec), labelled=_is_labelled(body, job.name))


def _is_numbered(body: Body, job: str) -> bool:
    """Whether a trial has a number that a job may give, and the name that belongs to it."""
    number: int = body["spec"]["number"]
    return number <= MAX_NUMBER and bool(body["metadata"]["name"] == names.trial_name(job, number))


class _Search:
    """One look at the attempts of a job's trials."""

    def __init__(
        self, store: Store, key: JobKey, tuning_job: TuningJob, identity: Identity, trials: Mapping[str, Trial]
    ) -> None:
        self._store = store
        self._key = key
        self._tuning_job = tuning_job
        self._identity = identity
        self._trials = trials
        self._known = identity.of(key, tuning_job.job.uid)
        self._uids: set[str] = set()
        self._seen: dict[tuple[str, str], str] = {}
        self.foreign: set[str] = set()
        self.unlabelled: set[tuple[str, str]] = set()

    async def attempts(self) -> dict[str, tuple[Attempt, ...]]:
        """Return the attempts by their trial's name, or uid."""
        kind = attempt_kind(self._tuning_job.job)
        listed = await (self._store.pods if kind == "Pod" else self._store.batch_jobs)(self._key)
        recorded = [
            (kind, trial.attempt_name)
            for trial in self._trials.values()
            if not trial.phase.is_final and trial.status.attempt_uid is not None
        ]
        claims: list[Claim] = []
        for body in await self._whole(kind, listed, recorded):
            claim = await self._identity.claim(self._key, self._tuning_job, self._trials, body)
            self._note(kind, body, own=claim is not None)
            claims += [claim] if claim else []
        nodes = await self._nodes(claims) if kind == "Job" else {}
        self._known.keep(self._uids, self._seen)
        last_words = self._identity.options.last_words
        return parse_attempts(self._tuning_job, claims, nodes, self._known.pods, last_words=last_words)

    async def _whole(self, kind: str, listed: list[Body], names_of: Iterable[tuple[str, str]]) -> list[Body]:
        """Add what is known and not listed: a list may lag, and a label may have been removed.

        A training must not run twice because of that, nor in a slot that is not counted.
        """
        there = {body["metadata"]["name"] for body in listed}
        wanted = {*names_of, *(known for known in self._known.held if known[0] == kind)}
        for _, name in sorted(wanted):
            if name not in there:
                body = await _found(self._store.get_attempt(self._key.namespace, kind, name))
                listed += [body] if body else []
        uids = {body["metadata"]["uid"] for body in listed}
        return listed + [body for body in self._departed(kind) if body["metadata"]["uid"] not in uids]

    def _departed(self, kind: str) -> list[Body]:
        """What ended and vanished between two looks, as its watch saw it."""
        unfinished = [trial for trial in self._trials.values() if not trial.phase.is_final and trial.status.attempt_uid]
        departed = self._store.departed
        if attempt_kind(self._tuning_job.job) == "Pod":
            return [body for trial in unfinished if (body := departed.pod(trial.status.attempt_uid or ""))]
        stopping = {trial.status.attempt_uid or "" for trial in unfinished if trial.phase is TrialPhase.STOPPING}
        return departed.nodes(stopping) if kind == "Pod" else []

    def _note(self, kind: str, body: Body, *, own: bool) -> None:
        """Remember an object for the next look, or say that it is not the job's."""
        name, labelled = body["metadata"]["name"], _is_labelled(body, self._key.name)
        self._uids.add(body["metadata"]["uid"])
        if not own:
            self.foreign |= {name} if labelled else set()
            return
        if not labelled:
            self.unlabelled.add((kind, name))
        if (body.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}:
            self._seen[kind, name] = body["metadata"]["uid"]

    async def _nodes(self, claims: list[Claim]) -> dict[str, dict[int, Body]]:
        """List the Pods of the batch Jobs by node; a batch Job that is gone and has left some is added to the claims.

        Of two Pods for one node the one that reports counts, else the older one.
        """
        by_uid = {claim.uid: claim for claim in claims}
        nodes: defaultdict[str, dict[int, Body]] = defaultdict(dict)
        pods = await self._whole("Pod", await self._store.pods(self._key), ())
        reporters = {trial.status.reporter for trial in self._trials.values()}
        for pod in sorted(pods, key=lambda pod: _rank(pod, reporters)):
            reference = names.controller_of(pod)
            claim, node = None, None
            if (reference.get("kind"), reference.get("apiVersion")) == ("Job", "batch/v1"):
                claim = by_uid.get(reference["uid"]) or await self._left_behind(reference, pod)
                node = node_of(pod, reference["name"])
            own = (
                claim is not None
                and claim.name == reference["name"]
                and node is not None
                and await self._identity.is_node(self._key, self._tuning_job.job.uid, claim, pod)
            )
            self._note("Pod", pod, own=own)
            if own and claim is not None and node is not None:
                if claim.uid not in by_uid:
                    by_uid[claim.uid] = claim
                    claims.append(claim)
                nodes[claim.uid].setdefault(node, pod)
        return nodes

    async def _left_behind(self, reference: Mapping[str, str], pod: Body) -> Claim | None:
        """What a Pod says of a batch Job that is not listed: somebody deleted it, or took its label off."""
        name, uid = reference["name"], reference["uid"]
        owner = name.rpartition("-")[0]
        trial = next((trial for trial in self._trials.values() if trial.status.attempt_uid == uid), None)
        if trial is None and not names.is_trial_name(owner, self._key.name):
            return None
        self._known.lookups += 1
        known = self._known.lookups <= LOOKUPS
        body = await _found(self._store.get_attempt(self._key.namespace, "Job", name)) if known else None
        if body is not None and body["metadata"]["uid"] == uid:
            claim = await self._identity.claim(self._key, self._tuning_job, self._trials, body)
            self._note("Job", body, own=claim is not None)
            return claim
        of_trial = names.owner_reference(names.TRIAL_KIND, owner, trial.uid if trial else uid)
        gone = gone_batch_job(name, uid, pod["metadata"]["creationTimestamp"], of_trial)
        return claim_of(gone, self._key.name, self._trials)


def _rank(pod: Body, reporters: Container[str | None]) -> tuple[bool, str, str]:
    metadata = pod["metadata"]
    return metadata["name"] not in reporters, metadata["creationTimestamp"], metadata["name"]


async def _found(request: Awaitable[Body]) -> Body | None:
    try:
        return await request
    except ApiError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
        return None


def _is_labelled(body: Mapping[str, object], job: str) -> bool:
    metadata = body["metadata"]
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return (labels or {}).get(names.LABEL_JOB) == job
