"""What the Pods of an attempt on several nodes, and their batch Job, say together about the attempt.

Nodes depend on each other: an attempt succeeds when all of them have, and is over when the first one ends in any other
way. The Job controller then ends the others, so the first end must be distinguished from those that followed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from tuning_operator.core.model.attempt import Attempt, Exit, Waiting
from tuning_operator.core.model.conditions import fitting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

MAKING = timedelta(seconds=3)
"""How long the Job controller may take to create its Pods before it is asked why it has not."""
_SUSPENDED = "Suspended"


@dataclass(frozen=True, slots=True)
class BatchJob:
    """The batch Job of an attempt, as it describes itself.

    Attributes:
        nodes: How many Pods it makes; 0 if unknown.
        deletion_requested: When somebody asked for its deletion.
        disruption: Why the cluster, not the training, ended it; None if it did not.
        suspended: Whether it makes no Pods for now, as a queueing controller wants it.
        succeeded: Whether all its Pods have, those included that are gone.
        failed: Whether it is ending or has ended its Pods, and makes no more.
    """

    name: str
    uid: str
    attempt: int
    nodes: int
    created: datetime
    deletion_requested: datetime | None = None
    disruption: str | None = None
    suspended: bool = False
    succeeded: bool = False
    failed: bool = False
    resource_version: str = ""

    @property
    def is_over(self) -> bool:
        """Whether no further Pods will follow."""
        return self.succeeded or self.failed or self.deletion_requested is not None


def together(job: BatchJob, pods: Mapping[int, Attempt]) -> Attempt:
    """Return the attempt as if one Pod ran it.

    Args:
        job: The batch Job.
        pods: Its Pods by node, from 0.
    """
    first, every = pods.get(0), tuple(pods.values())
    complete = len(every) == job.nodes
    starts = [pod.started for pod in every if pod.started]
    summary = Attempt(
        name=job.name,
        uid=job.uid,
        number=job.attempt,
        created=min((pod.created for pod in every), default=job.created),
        due=max((pod.making_since for pod in every), default=None),
        started=max(starts) if starts and len(starts) == job.nodes else None,
        ended=all(pod.ended for pod in every) and (complete or job.is_over),
        deletion_requested=job.deletion_requested,
        waiting=_waiting(job, pods),
        history=first.history if first else None,
        resource_version=job.resource_version,
        missing=0 if job.is_over else job.nodes - len(every),
        reporter=first.name if first else None,
    )
    if job.succeeded or (complete and all(pod.succeeded for pod in every)):
        return replace(summary, exit=Exit(0), finished=_latest(every))
    disruption = job.disruption or next((pod.disruption for pod in every if not pod.succeeded and pod.disruption), None)
    failed = _failed(pods)
    if disruption is None and failed is not None:
        node, pod, ending = failed
        message = _told(node, pod, ending.message)
        never = ending.never_started and not starts
        return replace(summary, exit=replace(ending, message=message, never_started=never), finished=pod.finished)
    if disruption is None and (job.is_over or any(pod.deleting for pod in every)):
        disruption = "somebody deleted one of its Pods, or its batch Job"
    if disruption is not None:
        return replace(summary, exit=Exit(None, "Disrupted", disruption), disruption=disruption)
    return summary


def lacks_pods(pod: Attempt, now: datetime) -> bool:
    """Whether Pods are missing that the Job controller should have made."""
    queued = pod.waiting is not None and pod.waiting.reason == _SUSPENDED
    return pod.missing > 0 and not queued and now - pod.created >= MAKING


def _failed(pods: Mapping[int, Attempt]) -> tuple[int, Attempt, Exit] | None:
    """Return the node that failed first, of those that failed by themselves."""
    failures = [
        (pod.finished is None, pod.finished or pod.created, node, pod, pod.exit)
        for node, pod in sorted(pods.items())
        if pod.exit and not pod.succeeded and not pod.cut_short
    ]
    if not failures:
        return None
    *_, node, pod, ending = min(failures, key=lambda failure: failure[:3])
    return node, pod, ending


def _told(node: int, pod: Attempt, message: str) -> str:
    return fitting(f"node {node} (Pod {pod.name}): ", message)


def _latest(pods: Sequence[Attempt]) -> datetime | None:
    return max((pod.finished for pod in pods if pod.finished), default=None)


def _waiting(job: BatchJob, pods: Mapping[int, Attempt]) -> Waiting | None:
    """Return why not all nodes run: what may end the trial comes first, what is under way last."""
    waiting = [
        replace(pod.waiting, message=_told(node, pod, pod.waiting.message))
        for node, pod in sorted(pods.items())
        if pod.waiting
    ]
    known = min(waiting, default=None, key=lambda item: (not item.is_image_problem, item.is_under_way))
    if known and not known.is_under_way:
        return known
    if job.suspended:
        return Waiting(_SUSPENDED, "the batch Job is suspended: no queueing controller has admitted it")
    if len(pods) < job.nodes:
        return Waiting("PodsMissing", f"{len(pods)} of {job.nodes} Pods exist")
    return known
