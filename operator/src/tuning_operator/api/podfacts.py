"""Reads a Pod's status: has the training started, has it ended, and was it the training's fault?"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tuning_operator.api import sidecar
from tuning_operator.api.termination import parse_history
from tuning_operator.api.values import parse_time, printable, time_in
from tuning_operator.core.model.attempt import Attempt, Exit, Waiting
from tuning_operator.core.model.conditions import MAX_MESSAGE, fitting

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

MAX_REASON = 128
"""As much as a TuningTrial's status holds, like `MAX_MESSAGE`."""

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


def parse_pod(body: Mapping[str, Any], number: int, container: str, metric: str) -> Attempt:
    """Read one Pod.

    Args:
        body: The Pod as the API server returns it.
        number: Number of the attempt that it runs, or one node of.
        container: Name of the training container.
        metric: The objective, to be looked up in the termination message.
    """
    metadata, status = body["metadata"], body.get("status") or {}
    statuses = {item["name"]: item for item in status.get("containerStatuses") or ()}
    training = statuses.get(container, {})
    terminated = (training.get("state") or {}).get("terminated")
    running = (training.get("state") or {}).get("running")
    if terminated and _sidecar_runs(status) and all(map(_is_over, statuses.values())):
        # What the sidecar has not reported yet is still to come. The kubelet ends it when all others have ended; beside
        # one that does not, it is not waited for.
        running, terminated = terminated, None
    own = (terminated or {}).get("message") or ""
    reported = (_sidecar_end(status) or terminated or {}).get("message") or ""
    history = parse_history(reported, metric) if terminated else None
    words = "" if parse_history(own, metric) else own
    return Attempt(
        name=metadata["name"],
        uid=metadata["uid"],
        number=number,
        created=parse_time(metadata["creationTimestamp"]),
        due=_due(status),
        started=time_in(terminated or running or {}, "startedAt"),
        finished=time_in(terminated or {}, "finishedAt"),
        exit=_exit(status, terminated, words),
        ended=_has_ended(body, status),
        deletion_requested=_deletion_requested(metadata),
        disruption=_disruption(status),
        waiting=_waiting(status, training),
        history=history,
        resource_version=metadata.get("resourceVersion", ""),
    )


def _sidecar_runs(status: Mapping[str, Any]) -> bool:
    """Whether there is a sidecar that has not come to its end; after the Pod's own nothing follows."""
    return status.get("phase") not in {"Succeeded", "Failed"} and not all(map(_is_over, _sidecars(status)))


def _sidecar_end(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next(((item.get("state") or {}).get("terminated") for item in _sidecars(status)), None)


def _is_over(container: Mapping[str, Any]) -> bool:
    return "terminated" in (container.get("state") or {})


def _sidecars(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [item for item in status.get("initContainerStatuses") or () if item["name"] == sidecar.NAME]


def _exit(status: Mapping[str, Any], terminated: Mapping[str, Any] | None, words: str) -> Exit | None:
    """How the training ended; `words` are the last that it said, where that is no history."""
    if terminated is None:
        if status.get("phase") != "Failed":
            return None
        return _init_exit(status) or Exit(None, _reason(status) or "PodFailed", _message(status) or "the Pod failed")
    code = terminated.get("exitCode")
    if code == 0:
        return Exit(0)
    reason = _reason(terminated) or "Error"
    word = _reason(status) or (reason if reason not in {"Error", "Completed"} else f"ExitCode{code}")
    return Exit(code, word, _told(f"the training container exited with code {code} ({reason})", words, status))


def _init_exit(status: Mapping[str, Any]) -> Exit | None:
    """How an init container ended that the training would have needed."""
    for item in status.get("initContainerStatuses") or ():
        ending = (item.get("state") or {}).get("terminated") or {}
        code = ending.get("exitCode")
        if code and item["name"] != sidecar.NAME:
            reason = _reason(ending) or "Error"
            head = f"init container {item['name']} exited with code {code} ({reason})"
            whole = _told(head, ending.get("message") or "", status)
            return Exit(None, _reason(status) or "InitContainerFailed", whole)
    return None


def _told(head: str, words: str, status: Mapping[str, Any]) -> str:
    told = words.strip().splitlines()[-8:]
    if status.get("message"):
        told.append(status["message"])  # such as: the Pod was evicted, or active for too long
    shown = printable(" | ".join(told), sum(map(len, told)) + 3 * len(told))
    return fitting(f"{head}: ", shown) if told else head


def _has_ended(body: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Whether all containers have terminated: such a Pod holds no GPU any more."""
    if status.get("phase") in {"Succeeded", "Failed"}:
        return True
    containers = status.get("containerStatuses") or ()
    return len(containers) == len(body["spec"]["containers"]) and all(map(_is_over, containers))


def _deletion_requested(metadata: Mapping[str, Any]) -> datetime | None:
    """`deletionTimestamp` is the end of the grace period; the request came that much earlier."""
    due = metadata.get("deletionTimestamp")
    if not due:
        return None
    return parse_time(due) - timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)


def _disruption(status: Mapping[str, Any]) -> str | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            return _reason(condition) or "DisruptionTarget"
    reason = _reason(status)
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
        reason = _reason(state)
        if reason and reason not in _MAKING:
            return Waiting(reason, _message(state), reason in IMAGE_PROBLEMS)
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return Waiting(_reason(scheduled) or "Unschedulable", _message(scheduled))
    making = _reason(waiting[0])
    if making not in _MAKING:
        return None
    if _condition(status, "PodReadyToStartContainers").get("status") == "False":
        told = "the Pod's volumes or its network are not ready yet: `kubectl describe pod` says why"
        return Waiting(making, told, is_under_way=True)
    return Waiting(making, _MAKING[making], is_under_way=True)


_MAKING = {
    "ContainerCreating": "its image is being pulled, or the container made",
    "PodInitializing": "its init containers have not ended",
}
"""What the kubelet says of a container that it is making, without a word of what that takes."""


def _due(status: Mapping[str, Any]) -> datetime | None:
    """When the training container's turn came: after the node was found, and after the last init container."""
    scheduled = _condition(status, "PodScheduled")
    found = time_in(scheduled, "lastTransitionTime") if scheduled.get("status") == "True" else None
    states = (item.get("state") or {} for item in status.get("initContainerStatuses") or ())
    ends = (time_in(state.get("terminated") or {}, "finishedAt") for state in states)
    return max((time for time in (found, *ends) if time), default=None)


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return next((item for item in status.get("conditions") or () if item.get("type") == kind), {})


def _reason(fields: Mapping[str, Any]) -> str:
    return printable(fields.get("reason") or "", MAX_REASON)


def _message(fields: Mapping[str, Any]) -> str:
    return printable(fields.get("message") or "", MAX_MESSAGE)
