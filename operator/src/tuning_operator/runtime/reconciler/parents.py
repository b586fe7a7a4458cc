"""Reads the parents of jobs, and keeps what it has read.

A parent's trials are read once, when it has ended. They stay known after its deletion, as long as this process lives.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tuning_operator.api import names
from tuning_operator.api.fields import InvalidJobError
from tuning_operator.api.job import parse_job
from tuning_operator.api.trial import InvalidTrialError, parse_trial
from tuning_operator.core.lifecycle.parents import inherit, missing, obstacle
from tuning_operator.core.lifecycle.slots import may_add
from tuning_operator.core.model.parent import Obstacle, Parent
from tuning_operator.runtime.kubernetes.errors import ApiError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.runtime.kubernetes.store import Store
    from tuning_operator.runtime.kubernetes.transport import Body
    from tuning_operator.runtime.queue import JobKey


class Parents:
    """The parents of all jobs that have some."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[JobKey, tuple[str, dict[str, Parent]]] = {}

    async def read(self, key: JobKey, job: Job, trials: Sequence[Trial]) -> tuple[Parent, ...]:
        """Return a job's parents; they are read again when a trial may be added, since it learns from them.

        Raises:
            ApiError: The API server could not be asked.
        """
        if not job.spec.parents or (job.phase.is_final and not job.is_edited):
            self.forget(key)
            return ()
        uid, known = self._known.get(key, ("", {}))
        if uid != job.uid:
            known = {}
        if not known or may_add(job, trials):
            known = {name: await self._look(job, known.get(name, Parent(name))) for name in job.spec.parents}
            self._known[key] = job.uid, known
        return tuple(known.values())

    def forget(self, key: JobKey) -> None:
        """Drop what is known of a job's parents."""
        self._known.pop(key, None)

    async def _look(self, job: Job, known: Parent) -> Parent:
        name = known.name
        try:
            parent = parse_job(await self._store.get_job(job.namespace, name)).job
            if parent.deleting:
                return replace(known, obstacle=missing(name))
            problem = obstacle(job, parent)
            if problem:
                return replace(known, obstacle=problem)
            if (known.uid, known.ended) == (parent.uid, parent.completion_time):
                return replace(known, obstacle=None) if known.learned else known
            bodies = await self._store.list_trials(job.namespace, name)
            return await asyncio.to_thread(_inherited, job, parent, bodies)
        except ApiError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            return replace(known, obstacle=missing(name))
        except (InvalidJobError, InvalidTrialError) as error:
            cause = f"parent {name} cannot be read: {error}"
            return replace(known, obstacle=Obstacle("ParentInvalid", cause, "recreate the job without this parent"))


def _inherited(job: Job, parent: Job, bodies: Sequence[Body]) -> Parent:
    """What a job learns from a parent's trials: up to ten thousand, so that others do not wait for their reading."""
    own = (body for body in bodies if names.is_controlled_by(body, names.JOB_KIND, parent.uid))
    return inherit(job, parent, [parse_trial(body, parent.spec) for body in own])
