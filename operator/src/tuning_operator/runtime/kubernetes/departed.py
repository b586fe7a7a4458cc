"""Remembers how Pods looked when they went: what ended, and was gone, between two looks at the cluster.

A Pod that is deleted leaves its last epochs in a message that may be there for a tenth of a second only; the event of
its deletion has it. What is forgotten, or never came, is lost as if there were no such memory.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from tuning_operator.api.podfacts import has_ended

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MOST = 500
"""As many Pods are remembered; of each less than its object is."""
_METADATA = (
    "name",
    "namespace",
    "uid",
    "labels",
    "ownerReferences",
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
        if not (deleted or "deletionTimestamp" in metadata) or not metadata.get("uid") or not spec.get("containers"):
            return
        pod: dict[str, Any] = {
            "metadata": {name: copy.deepcopy(metadata[name]) for name in _METADATA if name in metadata},
            "spec": {"containers": [{"name": item["name"]} for item in spec["containers"]]},
            "status": copy.deepcopy(dict(status)),
        }
        if not has_ended(pod):
            return
        self._pods[metadata["uid"]] = pod
        self._pods.move_to_end(metadata["uid"])
        if len(self._pods) > self._most:
            self._pods.popitem(last=False)

    def pod(self, uid: str) -> dict[str, Any] | None:
        """The Pod with this uid."""
        return copy.deepcopy(self._pods.get(uid))

    def nodes(self, batch_jobs: Collection[str]) -> list[dict[str, Any]]:
        """The Pods that were controlled by batch Jobs with these uids."""
        return [
            copy.deepcopy(pod)
            for pod in self._pods.values()
            for reference in pod["metadata"].get("ownerReferences") or ()
            if reference.get("controller") and reference["uid"] in batch_jobs
        ]
