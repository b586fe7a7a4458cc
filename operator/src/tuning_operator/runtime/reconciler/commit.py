"""Writes decisions about trials: side by side, each only if its trial has not changed meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tuning_operator.api.trial import render_status
from tuning_operator.runtime import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.model.snapshot import Snapshot
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.runtime.kubernetes.store import Store

AT_ONCE = 16
"""Most writes of one pass under way at the same time."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What happened to the writes.

    Attributes:
        failures: Errors, by the trial's name.
        versions: The versions of the others.
    """

    failures: dict[str, BaseException] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


async def commit_trials(store: Store, snapshot: Snapshot, trials: Sequence[Trial]) -> Committed:
    """Write the statuses of trials; when this ends, no write is under way."""
    doors = asyncio.Semaphore(AT_ONCE)

    async def write(trial: Trial) -> str:
        status = render_status(trial, snapshot.now)
        async with doors:
            body = await store.patch_trial_status(snapshot.job.namespace, trial.name, status, trial.resource_version)
        return str(body["metadata"]["resourceVersion"])

    results = await asyncio.gather(*map(write, trials), return_exceptions=True)
    before = {trial.name: trial for trial in snapshot.trials}
    committed = Committed()
    for trial, result in zip(trials, results, strict=True):
        if isinstance(result, BaseException):
            committed.failures[trial.name] = result
        else:
            committed.versions[trial.name] = result
            _count_stops(before[trial.name], trial)
    return committed


def _count_stops(before: Trial, after: Trial) -> None:
    if after.status.stop and after.status.stop.early and not before.status.stop:
        metrics.EARLY_STOPS.labels(after.status.stop.reason).inc()
    if after.status.would_stop and not before.status.would_stop:
        metrics.DRY_RUN_STOPS.labels(after.status.would_stop.reason).inc()
    if after.status.is_pausing and not before.status.is_pausing:
        metrics.PAUSES.inc()
    if after.status.resumptions > before.status.resumptions:
        metrics.RESUMPTIONS.inc()
