"""Statuses of Pods as a kubelet writes them, and how they are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.unit.api.manifests import pod_body
from tuning_operator.api.podfacts import parse_pod

if TYPE_CHECKING:
    from tuning_operator.core.model.attempt import Attempt

METRIC = "validation:accuracy"
HISTORY = {"epochs": [1, 2], "metrics": {METRIC: [0.1, 0.2]}, "completed": 2, "thinned": False}
START, END = "2026-05-04T12:00:10Z", "2026-05-04T12:01:00Z"
SCHEDULED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-05-04T12:00:05Z"}


def at(minute: int, second: int) -> datetime:
    return datetime(2026, 5, 4, 12, minute, second, tzinfo=UTC)


def terminated(code: int, reason: str, message: str = "") -> dict[str, Any]:
    ended = {"exitCode": code, "reason": reason, "startedAt": START, "finishedAt": END, "containerID": "containerd://1"}
    return {"terminated": ended | ({"message": message} if message else {})}


def containers(train: dict[str, Any], sidecar: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Statuses as the kubelet writes them: sorted by name."""
    statuses = [{"name": "train", "state": train, "restartCount": 0, "image": "trainer:1", "ready": False}]
    if sidecar is not None:
        statuses.insert(0, {"name": "sidecar", "state": sidecar, "restartCount": 0, "image": "sidecar:1"})
    return statuses


def read(status: dict[str, Any], **metadata: Any) -> Attempt:
    return parse_pod(pod_body(status, **metadata), 2, "train", METRIC)


RUNNING = {"running": {"startedAt": START}}
CREATING = {"waiting": {"reason": "ContainerCreating"}}
BOTH_DONE = containers(terminated(0, "Completed", json.dumps(HISTORY)), terminated(0, "Completed"))


def sidecar_status(state: dict[str, Any]) -> dict[str, Any]:
    """That of the container that the operator adds to follow a log."""
    return {"name": "tuning-metrics", "state": state}


RUNTIME = 'exec: "train": not found'
