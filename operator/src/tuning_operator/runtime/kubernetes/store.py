"""Keeps what a job's trials and attempts look like: by a list, by watches, and by the answers to its own requests.

A pass reads from here in the place of lists. What is here may be old, and nothing that old knowledge could get wrong
relies on it: writes name the version that they are based on, names are given once, and whoever needs to know whether
something still is as it was asks the API server by name.

Of versions of an object the newest one stays, in whatever order they arrive. What has been missed is found by a list:
after a gap in a watch, while there is none, and with every resync.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tuning_operator.api import names
from tuning_operator.runtime.kubernetes.cluster import REDUCE
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind
from tuning_operator.runtime.queue import JobKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tuning_operator.runtime.kubernetes.cluster import Cluster
    from tuning_operator.runtime.kubernetes.transport import Body

TRIALS, PODS, BATCH_JOBS = names.TRIAL_PLURAL, "pods", "jobs"
KINDS = (TRIALS, PODS, BATCH_JOBS)
_PLURALS = {"Pod": PODS, "Job": BATCH_JOBS}


@dataclass(slots=True)
class _View:
    """What there is of one kind of a job's objects.

    Attributes:
        bodies: The objects, reduced to what is used, by name.
        since: The version of the list that it began with: what is older has been taken into account.
        gone: Versions in which objects were deleted, or lost their label, by uid.
        doubtful: Whether something may have been missed.
    """

    bodies: dict[str, Body] = field(default_factory=dict)
    since: int = 0
    gone: dict[str, int] = field(default_factory=dict)
    doubtful: bool = True

    def put(self, body: Body, reduce: Callable[[Body], Body]) -> bool:
        """Take an object's version in, reduced to what is used; false where it, a newer one, or its end is known."""
        name, uid, version = _identity(body)
        known = self.bodies.get(name)
        if known is not None and version <= _identity(known)[2]:
            return False
        if known is None and version <= max(self.since, self.gone.get(uid, 0)):
            return False
        self.bodies[name] = reduce(body)
        return True

    def drop(self, body: Body) -> bool:
        """Take in that an object is gone, as of its last version; false where that is known."""
        name, uid, version = _identity(body)
        if version > self.since:
            self.gone[uid] = max(version, self.gone.get(uid, 0))
        known = self.bodies.get(name)
        if known is None or _identity(known)[1] != uid or _identity(known)[2] > version:
            return False
        del self.bodies[name]
        return True

    def fill(self, bodies: list[Body], version: int) -> None:
        """Replace what is known by a list of this version, except for what is newer."""
        newer = [body for body in self.bodies.values() if _identity(body)[2] > version]
        self.gone = {uid: since for uid, since in self.gone.items() if since > version}
        self.since, self.bodies = version, {}
        for body in (*bodies, *newer):
            name, uid, since = _identity(body)
            if since > self.gone.get(uid, 0):
                self.bodies[name] = body


class Store:
    """The objects of all jobs that passes have asked for; what answers to requests about them say is taken in.

    Args:
        cluster: Where to ask.
        is_live: Whether a watch reports changes to objects of a kind in a namespace.
    """

    def __init__(self, cluster: Cluster, is_live: Callable[[str, str], bool]) -> None:
        self._cluster = cluster
        self._is_live = is_live
        self._views: dict[JobKey, dict[str, _View]] = {}
        self._listed: dict[JobKey, set[str]] = {}
        self.departed = cluster.departed

    # What passes read

    def begin(self, key: JobKey) -> None:
        """Note that a pass begins."""
        self._listed[key] = set()

    def is_sure(self, key: JobKey) -> bool:
        """Whether all that a pass has read of a job's objects was listed in this pass."""
        return self._listed.get(key, set()) >= self._views.get(key, {}).keys()

    async def trials(self, key: JobKey) -> list[Body]:
        """Return the TuningTrials with a job's label; they may belong to an earlier job of the same name."""
        return await self._of(TRIALS, key)

    async def pods(self, key: JobKey) -> list[Body]:
        """Return the Pods with a job's label."""
        return await self._of(PODS, key)

    async def batch_jobs(self, key: JobKey) -> list[Body]:
        """Return the batch Jobs with a job's label."""
        return await self._of(BATCH_JOBS, key)

    async def _of(self, kind: str, key: JobKey) -> list[Body]:
        view = self._views.setdefault(key, {}).setdefault(kind, _View())
        if view.doubtful or not self._is_live(kind, key.namespace):
            view.doubtful = False  # what is missed from now on is missed after the list
            try:
                listed = await self._cluster.list_of_job(kind, key.namespace, key.name)
            except BaseException:
                view.doubtful = True
                raise
            view.fill(listed.items, version_of(listed.version))
            self._listed.setdefault(key, set()).add(kind)
        return list(view.bodies.values())

    # News from watches and writes

    def heard(self, kind: str, event: str, body: Body) -> bool:
        """Take in an event of a watch; false when it is no news."""
        metadata = body["metadata"]
        view = self._view(kind, metadata["namespace"], (metadata.get("labels") or {}).get(names.LABEL_JOB, ""))
        if view is None:
            return True
        return view.drop(body) if event == "DELETED" else view.put(body, REDUCE[kind])

    def doubt(self, kind: str, namespace: str | None) -> list[JobKey]:
        """Note that events may have been missed; return the jobs that this concerns."""
        concerned = [key for key in self._views if namespace in {None, key.namespace} and kind in self._views[key]]
        for key in concerned:
            self._views[key][kind].doubtful = True
        return concerned

    def doubt_job(self, key: JobKey) -> None:
        """Have the next pass over a job list all that it reads."""
        for view in self._views.get(key, {}).values():
            view.doubtful = True

    def forget(self, key: JobKey) -> None:
        """Drop what is known of a job's objects."""
        self._views.pop(key, None)
        self._listed.pop(key, None)

    def _view(self, kind: str, namespace: str, job: str) -> _View | None:
        return self._views.get(JobKey(namespace, job), {}).get(kind)

    def _told(self, kind: str, body: Body) -> Body:
        """Take in what an answer says."""
        metadata = body["metadata"]
        view = self._view(kind, metadata["namespace"], (metadata.get("labels") or {}).get(names.LABEL_JOB, ""))
        if view is not None:
            view.put(body, REDUCE[kind])
        return body

    def _is_gone(self, kind: str, namespace: str, name: str) -> None:
        """Take in that there is nothing of this name."""
        for key, views in self._views.items():
            if key.namespace == namespace and kind in views:
                views[kind].bodies.pop(name, None)

    # Requests about trials and attempts

    async def get_trial(self, namespace: str, name: str) -> Body:
        """Read a TuningTrial as it is now."""
        return await self._get(TRIALS, namespace, name, self._cluster.get_trial(namespace, name))

    async def get_attempt(self, namespace: str, kind: str, name: str) -> Body:
        """Read an attempt as it is now: a Pod or a batch Job."""
        return await self._get(_PLURALS[kind], namespace, name, self._cluster.get_attempt(namespace, kind, name))

    async def create_trial(self, namespace: str, body: Body) -> Body:
        """Create a TuningTrial."""
        return self._told(TRIALS, await self._cluster.create_trial(namespace, body))

    async def create_attempt(self, namespace: str, body: Body, *, dry_run: bool = False) -> Body:
        """Create a Pod, or a batch Job."""
        made = await self._cluster.create_attempt(namespace, body, dry_run=dry_run)
        return made if dry_run else self._told(_PLURALS[body["kind"]], made)

    async def delete_attempt(self, namespace: str, kind: str, name: str, uid: str, version: str) -> None:
        """Delete a Pod, or a batch Job, if it has not changed since it was read; else read it again."""
        try:
            await self._cluster.delete_attempt(namespace, kind, name, uid, version)
        except ApiError as error:
            if error.kind is ErrorKind.CONFLICT:
                await self._look_again(self.get_attempt(namespace, kind, name))
            raise

    async def patch_trial_status(self, namespace: str, name: str, status: Body, version: str) -> Body:
        """Replace fields of a trial's status, if it has not changed since it was read; else read it again."""
        try:
            return self._told(TRIALS, await self._cluster.patch_trial_status(namespace, name, status, version))
        except ApiError as error:
            if error.kind in {ErrorKind.CONFLICT, ErrorKind.NOT_FOUND}:
                await self._look_again(self.get_trial(namespace, name))
            raise

    # Requests that leave nothing here

    async def get_job(self, namespace: str, name: str) -> Body:
        """Read a HyperparameterTuningJob."""
        return await self._cluster.get_job(namespace, name)

    async def delete_job(self, namespace: str, name: str, uid: str, version: str) -> None:
        """Delete a job, and by garbage collection all that belongs to it, if it has not changed since it was read."""
        await self._cluster.delete_job(namespace, name, uid, version)

    async def patch_job_status(self, namespace: str, name: str, status: Body, version: str) -> Body:
        """Replace fields of a job's status, if the job has not changed since it was read."""
        return await self._cluster.patch_job_status(namespace, name, status, version)

    async def list_trials(self, namespace: str, job: str) -> list[Body]:
        """List the TuningTrials of a job that others start from."""
        return (await self._cluster.list_of_job(TRIALS, namespace, job)).items

    async def get_service(self, namespace: str, name: str) -> Body:
        """Read a Service."""
        return await self._cluster.get_service(namespace, name)

    async def create_service(self, namespace: str, body: Body) -> Body:
        """Create a Service."""
        return await self._cluster.create_service(namespace, body)

    async def _get(self, kind: str, namespace: str, name: str, request: Awaitable[Body]) -> Body:
        try:
            return self._told(kind, await request)
        except ApiError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                self._is_gone(kind, namespace, name)
            raise

    async def _look_again(self, request: Awaitable[Body]) -> None:
        """Learn why a write was refused: what is known is old."""
        with contextlib.suppress(ApiError):
            await request


def _identity(body: Body) -> tuple[str, str, int]:
    metadata = body["metadata"]
    return metadata["name"], metadata["uid"], version_of(metadata["resourceVersion"])


def version_of(text: str) -> int:
    """Return the place of a version among those of its kind: growing numbers, as Kubernetes promises since 1.35."""
    return int(text)
