"""The batch Job of an attempt on several nodes, and the headless Service by which its Pods find each other.

The Job controller makes the Pods, one for each node, and ends all of them when one fails; retries are ours. There is
one Service for a job and all its trials: it only lets a Pod be found by its host name, which no other Pod has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_operator.api import names
from tuning_operator.api.values import parse_time, printable, time_in
from tuning_operator.core.lifecycle.nodes import BatchJob, together
from tuning_operator.core.model.conditions import MAX_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tuning_operator.core.model.attempt import Attempt
    from tuning_operator.core.model.job import Job

    ParsePod = Callable[[Mapping[str, Any], int], Attempt]


def build_batch_job(job: Job, pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest that creates one of the attempt's Pods for each node.

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
            "podFailurePolicy": {"rules": [disruption]},  # so that a disruption shows even when its Pods are gone
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


def parse_batch_job(
    body: Mapping[str, Any], number: int, nodes: Mapping[int, Mapping[str, Any]], parse: ParsePod
) -> Attempt:
    """Read an attempt of several nodes.

    Args:
        body: The batch Job, or what `gone_batch_job` says of it.
        number: The attempt's.
        nodes: Its Pods by node, listed after the batch Job.
        parse: Reads a Pod of the attempt with this number.
    """
    return together(_parse(body, number), {node: parse(pod, number) for node, pod in nodes.items()})


def gone_batch_job(name: str, uid: str, created: str, owner: Mapping[str, Any]) -> dict[str, Any]:
    """The reason to state for a batch Job that somebody deleted before its Pods.

    Args:
        name: The batch Job's name; the Pods know it, and the uid.
        uid: Its uid.
        created: When its Pod was made; that is all that is known of its time.
        owner: A reference to its trial.
    """
    times = {"creationTimestamp": created, "deletionTimestamp": created}
    return {"metadata": {"name": name, "uid": uid, **times, "ownerReferences": [owner]}, "spec": {"completions": 0}}


def node_of(pod: Mapping[str, Any], batch_job: str) -> int | None:
    """The node of a batch Job that a Pod runs, from 0; None for a Pod that cannot be one of that batch Job's."""
    node: str = (pod["metadata"].get("labels") or {}).get(names.COMPLETION_INDEX, "")
    if not node.isdecimal() or node != str(int(node)):
        return None
    name, head = pod["metadata"]["name"], f"{batch_job}-{node}-"
    suffix = name.removeprefix(head)
    return int(node) if suffix != name and suffix.isalnum() else None


def _parse(body: Mapping[str, Any], number: int) -> BatchJob:
    metadata, status = body["metadata"], body.get("status") or {}
    conditions = {item["type"]: item for item in status.get("conditions") or () if item.get("status") == "True"}
    failed = conditions.get("Failed") or conditions.get("FailureTarget")
    disrupted = failed is not None and failed.get("reason") == "PodFailurePolicy"
    return BatchJob(
        name=metadata["name"],
        uid=metadata["uid"],
        attempt=number,
        nodes=body["spec"].get("completions", 1),
        created=parse_time(metadata["creationTimestamp"]),
        deletion_requested=time_in(metadata, "deletionTimestamp"),
        disruption=printable(failed.get("message") or "", MAX_MESSAGE) if failed and disrupted else None,
        suspended=bool(body["spec"].get("suspend")),
        succeeded="Complete" in conditions,
        failed=failed is not None,
        resource_version=metadata.get("resourceVersion", ""),
    )
