"""The batch Job of an attempt on several nodes, and the headless Service by which its Pods find each other.

The Job controller makes the Pods, one for each node, and ends all of them when one fails; retries are ours. There is
one Service for a job and all its trials: it only lets a Pod be found by its host name, which no other Pod has.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names
from tuning_operator.api.values import parse_time, printable, time_in
from tuning_operator.core.lifecycle.nodes import BatchJob, together
from tuning_operator.core.model.conditions import MAX_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial

    ParsePod = Callable[[Mapping[str, Any], int], Attempt]


def build_batch_job(job: Job, pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest that makes as many of the attempt's Pod as there are nodes.

    It bears the labels and annotations of the template, as its Pods do: a queueing controller looks for them there.
    """
    metadata = pod["metadata"]
    disruption = {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "completionMode": "Indexed",
            "completions": job.spec.nodes,
            "parallelism": job.spec.nodes,
            "backoffLimit": 0,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": [disruption]},  # so that it tells of a disruption when its Pods are gone
            "template": {
                "metadata": {"labels": metadata["labels"], "annotations": metadata["annotations"]},
                "spec": pod["spec"],
            },
        },
    }


def build_service(job: Job) -> dict[str, Any]:
    """Return the headless Service of a job, which also tells of Pods that are not ready: they wait for each other."""
    labels = names.job_labels(job.name)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": names.service_name(job.name),
            "namespace": job.namespace,
            "labels": labels,
            "ownerReferences": [names.owner_reference(names.JOB_KIND, job.name, job.uid)],
        },
        "spec": {"clusterIP": "None", "selector": labels, "publishNotReadyAddresses": True},
    }


def parse_batch_jobs(
    jobs: Sequence[Mapping[str, Any]],
    pods: Sequence[Mapping[str, Any]],
    trials: Sequence[Trial],
    parse: ParsePod,
) -> dict[str, tuple[Attempt, ...]]:
    """Read the attempts of a job's trials: from their batch Jobs, and from Pods that outlive theirs.

    Args:
        jobs: The batch Jobs, listed before the Pods.
        pods: The Pods.
        trials: The trials.
        parse: Reads a Pod of the attempt with this number.

    Returns:
        The attempts by their trial's name; by the batch Job's uid where the trial is gone, or not known.
    """
    known = {job["metadata"]["uid"]: _parse(job) for job in jobs}
    owners = {job["metadata"]["uid"]: _owner_of(job, trials) for job in jobs}
    nodes: defaultdict[str, dict[int, Attempt]] = defaultdict(dict)
    for pod in pods:
        labels = pod["metadata"].get("labels") or {}
        uid, node = labels.get(names.CONTROLLER_UID), labels.get(names.COMPLETION_INDEX, "")
        if uid is None or not node.isdecimal():
            continue
        if uid not in known:
            known[uid] = _gone(labels[names.BATCH_JOB], uid, pod)
            owners[uid] = next((trial.name for trial in trials if trial.status.attempt_uid == uid), uid)
        nodes[uid][int(node)] = parse(pod, known[uid].attempt)
    attempts: defaultdict[str, tuple[Attempt, ...]] = defaultdict(tuple)
    for uid, job in known.items():
        if (owner := owners[uid]) and job.attempt:
            attempts[owner] += (together(job, nodes[uid]),)
    return dict(attempts)


def _owner_of(job: Mapping[str, Any], trials: Sequence[Trial]) -> str | None:
    """The name of the trial that a batch Job runs, or the Job's uid when the trial is gone; None when it runs none."""
    metadata = job["metadata"]
    by_uid = {trial.uid: trial.name for trial in trials}
    for reference in metadata.get("ownerReferences") or ():
        trial = by_uid.get(reference["uid"], reference["name"])
        if reference["kind"] == names.TRIAL_KIND and names.attempt_number(metadata["name"], trial):
            return trial if reference["uid"] in by_uid else str(metadata["uid"])
    return None


def _attempt(name: str) -> int:
    return names.attempt_number(name, name.rpartition("-")[0]) or 0


def _parse(body: Mapping[str, Any]) -> BatchJob:
    metadata, status = body["metadata"], body.get("status") or {}
    conditions = {item["type"]: item for item in status.get("conditions") or () if item.get("status") == "True"}
    failed = conditions.get("Failed") or conditions.get("FailureTarget")
    disrupted = failed is not None and failed.get("reason") == "PodFailurePolicy"
    return BatchJob(
        name=metadata["name"],
        uid=metadata["uid"],
        attempt=_attempt(metadata["name"]),
        nodes=body["spec"].get("completions") or 1,
        created=parse_time(metadata["creationTimestamp"]),
        deletion_requested=time_in(metadata, "deletionTimestamp"),
        disruption=printable(failed.get("message") or "", MAX_MESSAGE) if failed and disrupted else None,
        suspended=bool(body["spec"].get("suspend")),
        succeeded="Complete" in conditions,
        failed=failed is not None,
        resource_version=metadata.get("resourceVersion", ""),
    )


def _gone(name: str, uid: str, pod: Mapping[str, Any]) -> BatchJob:
    """What is to be said of a batch Job that somebody deleted before its Pods."""
    created = parse_time(pod["metadata"]["creationTimestamp"])
    return BatchJob(name, uid, _attempt(name), nodes=0, created=created, deletion_requested=created)
