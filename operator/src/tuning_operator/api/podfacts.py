"""Reads a Pod's status: has the training started, has it ended, and was it the training's fault?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tuning_operator.api import sidecar
from tuning_operator.api.endings import message_of, reason_of, training_exit
from tuning_operator.api.termination import parse_history
from tuning_operator.api.values import clock_time_in, parse_time
from tuning_operator.core.model.attempt import Attempt, History, Waiting

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

IMAGE_PROBLEMS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
        "CreateContainerConfigError",
        "CreateContainerError",
    }
)
"""Why a container cannot be made: wrong for good, or right again soon; hence a period of grace."""

DISRUPTIONS = frozenset(
    {
        "NodeLost",
        "NodeShutdown",
        "Shutdown",
        "Terminated",
        "Preempting",
        "NodeAffinity",
        "UnexpectedAdmissionError",
    }
)
"""Reasons of failed Pods for which the node, not the training, is to blame."""

_LONGEST = timedelta(days=3650)
"""No container runs for longer."""


def parse_pod(body: Mapping[str, Any], number: int, container: str, metric: str, *, last_words: bool = True) -> Attempt:
    """Read one Pod.

    Args:
        body: The Pod as the API server returns it.
        number: Number of the attempt that it runs, or one node of.
        container: Name of the training container.
        metric: The objective, to be looked up in the termination message.
        last_words: Whether what its containers said at their end, or wrote to their logs, may be shown.
    """
    metadata, status = body["metadata"], body.get("status") or {}
    created = parse_time(metadata["creationTimestamp"])
    statuses = {item["name"]: item for item in status.get("containerStatuses") or ()}
    training = statuses.get(container, {})
    terminated = (training.get("state") or {}).get("terminated")
    running = (training.get("state") or {}).get("running")
    if terminated and _sidecar_runs(status) and all(map(_is_over, statuses.values())):
        # What the sidecar has not reported yet is still to come. The kubelet ends it when all others have ended; beside
        # one that does not, it is not waited for.
        running, terminated = terminated, None
    started, finished = _times(terminated or running or {}, created)
    reported = (_sidecar_end(status) or terminated or {}).get("message") or ""
    history = parse_history(reported, metric) if terminated else None
    return Attempt(
        name=metadata["name"],
        uid=metadata["uid"],
        number=number,
        created=created,
        due=_due(status, created),
        started=started,
        finished=finished if terminated else None,
        exit=training_exit(body, container, terminated, metric, last_words=last_words),
        ended=has_ended(body),
        deletion_requested=_deletion_requested(metadata, created),
        disruption=_disruption(status),
        waiting=_waiting(status, training),
        history=history if last_words else _without_words(history),
        resource_version=metadata.get("resourceVersion", ""),
    )


def _sidecar_runs(status: Mapping[str, Any]) -> bool:
    """Whether there is a sidecar that has not come to its end; after the Pod's own nothing follows."""
    return status.get("phase") not in {"Succeeded", "Failed"} and not all(map(_is_over, _sidecars(status)))


def _sidecar_end(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next(((item.get("state") or {}).get("terminated") for item in _sidecars(status)), None)


def _without_words(history: History | None) -> History | None:
    """The history without what the training, or its log, says in its own words.

    The sidecar's account of a refused line may quote it.
    """
    if history is None or history.log is None:
        return replace(history, error="") if history else None
    problem = "" if history.log.refused else history.log.problem
    return replace(history, error="", log=replace(history.log, problem=problem, sample=""))


def _is_over(container: Mapping[str, Any]) -> bool:
    return "terminated" in (container.get("state") or {})


def _sidecars(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [item for item in status.get("initContainerStatuses") or () if item["name"] == sidecar.NAME]


def _times(state: Mapping[str, Any], created: datetime) -> tuple[datetime | None, datetime | None]:
    """Start and end of a container, none of them before its Pod.

    They come from the node's clock. A slow clock is corrected; how long the container ran does not change.
    """
    started, finished = clock_time_in(state, "startedAt"), clock_time_in(state, "finishedAt")
    if started is None:
        return None, max(created, finished) if finished else None
    began = max(created, started)
    if finished is None:
        return began, None
    return began, began + min(max(timedelta(0), finished - started), _LONGEST)


def has_ended(body: Mapping[str, Any]) -> bool:
    """Whether all containers of a Pod have terminated: such a one holds no GPU any more."""
    status = body.get("status") or {}
    if status.get("phase") in {"Succeeded", "Failed"}:
        return True
    containers = status.get("containerStatuses") or ()
    return len(containers) == len(body["spec"]["containers"]) and all(map(_is_over, containers))


def _deletion_requested(metadata: Mapping[str, Any], created: datetime) -> datetime | None:
    """`deletionTimestamp` is the end of the grace period; the request came that much earlier."""
    due = metadata.get("deletionTimestamp")
    if not due:
        return None
    grace = timedelta(seconds=min(metadata.get("deletionGracePeriodSeconds") or 0, _LONGEST.total_seconds()))
    return max(created, max(created, parse_time(due)) - grace)


def _disruption(status: Mapping[str, Any]) -> str | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return reason_of(condition) or "DisruptionTarget"
    reason = reason_of(status)
    if reason in DISRUPTIONS or reason.startswith("OutOf"):
        return reason
    return None


def _waiting(status: Mapping[str, Any], training: Mapping[str, Any]) -> Waiting | None:
    """Why the training container does not run: its own state, an init container's, or the scheduler's words."""
    waiting = [
        (item.get("state") or {}).get("waiting") or {}
        for item in (training, *(status.get("initContainerStatuses") or ()))
    ]
    for state in waiting:
        reason = reason_of(state)
        if reason and reason not in _MAKING:
            return Waiting(reason, message_of(state), reason in IMAGE_PROBLEMS)
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return Waiting(reason_of(scheduled) or "Unschedulable", message_of(scheduled))
    making = reason_of(waiting[0])
    if making not in _MAKING:
        return None
    if _condition(status, "PodReadyToStartContainers").get("status") == "False":
        message = "the Pod's volumes or its network are not ready yet: see `kubectl describe pod`"
        return Waiting(making, message, is_under_way=True)
    return Waiting(making, _MAKING[making], is_under_way=True)


_MAKING = {
    "ContainerCreating": "its image is being pulled, or its container is being created",
    "PodInitializing": "its init containers have not ended",
}
"""The kubelet's reason for a container in creation, which names no cause."""


def _due(status: Mapping[str, Any], created: datetime) -> datetime | None:
    """When the training container's turn came: after the node was found, and after the last init container."""
    scheduled = _condition(status, "PodScheduled")
    found = clock_time_in(scheduled, "lastTransitionTime") if scheduled.get("status") == "True" else None
    states = (item.get("state") or {} for item in status.get("initContainerStatuses") or ())
    ends = (clock_time_in(state.get("terminated") or {}, "finishedAt") for state in states)
    return max((max(created, time) for time in (found, *ends) if time), default=None)


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((item for item in status.get("conditions") or () if item.get("type") == kind), {})
