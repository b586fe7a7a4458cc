"""Writes jobs and trials that have ended, as the operator would have left them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cluster.operators import GROUP, METRIC
from tuning_operator.api import names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from benchmarks.scale.apiserver import ApiServer
    from benchmarks.scale.loads import Load

_AT_ONCE = 32
_LONG_AGO = datetime.now(UTC) - timedelta(hours=2)


async def finished_jobs(server: ApiServer, namespace: str, load: Load) -> None:
    """Create the jobs of a load that have ended, with their trials."""
    await _all(_finished_job(server, namespace, load, 1 + number) for number in range(load.finished_jobs))


async def finished_trials(server: ApiServer, load: Load, job: dict[str, Any]) -> None:
    """Create trials of a job that have completed, before an operator sees it."""
    numbers = range(1, load.finished_trials + 1)
    await _all(_finished_trial(server, load, job, number) for number in numbers)


async def _finished_job(server: ApiServer, namespace: str, load: Load, number: int) -> None:
    manifest = load.manifest(namespace, number)
    limits = {"maxTrials": load.finished_trials, "maxParallelTrials": 1}
    path = f"{GROUP}/namespaces/{namespace}/{names.JOB_PLURAL}"
    job = await server.create(path, {**manifest, "spec": {**manifest["spec"], "limits": limits}})
    for trial in range(1, load.finished_trials + 1):
        await _finished_trial(server, load, job, trial)
    condition = {"observedGeneration": 1, "lastTransitionTime": _time(3000), "message": "", "status": "True"}
    status = {
        "observedGeneration": 1,
        "phase": "Completed",
        "completionReason": "MaxTrialsReached",
        "startTime": _time(0),
        "completionTime": _time(3000),
        "trialCounts": {"completed": load.finished_trials},
        "conditions": [
            {**condition, "type": "Complete", "reason": "MaxTrialsReached"},
            {**condition, "type": "Reconciled", "reason": "Reconciled"},
            {**condition, "type": "TemplateValid", "reason": "Accepted"},
        ],
    }
    await server.patch(f"{path}/{job['metadata']['name']}/status", {"status": status})


async def _finished_trial(server: ApiServer, load: Load, job: dict[str, Any], number: int) -> None:
    metadata = job["metadata"]
    path = f"{GROUP}/namespaces/{metadata['namespace']}/{names.TRIAL_PLURAL}"
    trial = {
        "apiVersion": names.API_VERSION,
        "kind": names.TRIAL_KIND,
        "metadata": {
            "name": names.trial_name(metadata["name"], number),
            "namespace": metadata["namespace"],
            "labels": names.job_labels(metadata["name"]),
            "annotations": {
                names.ANNOTATION_SUGGESTION_SOURCE: "Random",
                names.ANNOTATION_SUGGESTION_MESSAGE: "drawn at random",
            },
            "ownerReferences": [names.owner_reference(names.JOB_KIND, metadata["name"], metadata["uid"])],
        },
        "spec": {"number": number, "parameters": {"x0": str(number / (load.finished_trials + 1))}, "seed": number},
    }
    epochs = list(range(1, load.finished_epochs + 1))
    values = [f"{(0.5 + number / 2000) * (1 - 0.9 ** (epoch * 20 / len(epochs))):.6f}" for epoch in epochs]
    status = {
        "phase": "Completed",
        "attempt": 1,
        "podUID": f"00000000-0000-4000-8000-{number:012d}",
        "startTime": _time(number),
        "completionTime": _time(number + 30),
        "trainingSeconds": 30,
        "objective": values[-1],
        "objectiveStatus": "Succeeded",
        "epochs": len(epochs),
        "curve": {"epochs": epochs, "values": values},
        "metrics": [{"name": METRIC, "epoch": epochs[-1], "value": values[-1]}],
        "reason": "Completed",
    }
    await server.create(path, trial)
    await server.patch(f"{path}/{trial['metadata']['name']}/status", {"status": status})  # type: ignore[index]


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Do all of it, not too much at once."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Awaitable[None]) -> None:
        async with gate:
            await each

    async with asyncio.TaskGroup() as group:
        for each in work:
            group.create_task(one(each))


def _time(second: int) -> str:
    return (_LONG_AGO + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
