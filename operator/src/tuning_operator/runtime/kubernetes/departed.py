"""Remembers how Pods looked when they went: what ended, and was gone, between two looks at the cluster.

A Pod that is deleted leaves its last epochs in a message that may be there for a tenth of a second only; the event of
its deletion has it. What is forgotten, or never came, is lost as if there were no such memory.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names
from tuning_operator.api.podfacts import has_ended

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MOST = 500
"""Number of Pods that are remembered, each in brief: anybody's Pods may have the label that is watched."""
MAX_CONTAINERS = 80
"""More than a job's template can have, init containers and the sidecar included."""
_LABELS = (names.LABEL_JOB, names.LABEL_TRIAL, names.COMPLETION_INDEX, names.CONTROLLER_UID, names.BATCH_JOB)
_STATUS = ("phase", "reason", "message", "conditions", "containerStatuses", "initContainerStatuses")
_METADATA = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
)


class Departed:
    """The last state of Pods whose containers had ended, by uid."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._pods: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pods)

    def note(self, body: Mapping[str, Any], *, deleted: bool) -> None:
        """Remember a Pod that is going or gone, if it has ended: another holds what it runs on, as far as is known."""
        metadata, spec, status = body.get("metadata") or {}, body.get("spec") or {}, body.get("status") or {}
        containers = spec.get("containers") or ()
        statuses = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
        if not (deleted or "deletionTimestamp" in metadata) or not metadata.get("uid") or not containers:
            return
        if max(len(containers), len(statuses)) > MAX_CONTAINERS:
            return
        owners = [item for item in metadata.get("ownerReferences") or () if item.get("controller")]
        labels = metadata.get("labels") or {}
        pod: dict[str, Any] = {
            "metadata": {
                **{name: metadata[name] for name in _METADATA if name in metadata},
                "labels": {name: labels[name] for name in _LABELS if name in labels},
                "ownerReferences": copy.deepcopy(owners),
            },
            "spec": {"containers": [{"name": item["name"]} for item in containers]},
            "status": {name: copy.deepcopy(status[name]) for name in _STATUS if name in status},
        }
        if not has_ended(pod):
            return
        self._pods[metadata["uid"]] = pod
        self._pods.move_to_end(metadata["uid"])
        if len(self._pods) > self._most:
            self._pods.popitem(last=False)

    def pod(self, uid: str) -> dict[str, Any] | None:
        """Return the Pod with this uid."""
        return copy.deepcopy(self._pods.get(uid))

    def nodes(self, batch_jobs: Collection[str]) -> list[dict[str, Any]]:
        """Return the Pods that were controlled by batch Jobs with these uids."""
        return [
            copy.deepcopy(pod)
            for pod in self._pods.values()
            for reference in pod["metadata"].get("ownerReferences") or ()
            if reference.get("controller") and reference["uid"] in batch_jobs
        ]
