"""Storage for checkpoints on the test cluster, which has no provisioner."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLAIM = "checkpoints"


def claim() -> dict[str, Any]:
    """A claim for a volume that an administrator has made."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": CLAIM},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "storageClassName": "",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }


@contextmanager
def volume_on_node(kubectl: Callable[..., str], namespace: str) -> Iterator[str]:
    """A folder of the only node as the volume of the namespace's claim; removed at the end, when nothing may use it."""
    with TemporaryDirectory(prefix="checkpoints-") as folder:
        Path(folder).chmod(0o777)
        name = f"{CLAIM}-{namespace}"
        manifest = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteMany"],
                "claimRef": {"name": CLAIM, "namespace": namespace},
                "hostPath": {"path": folder},
            },
        }
        _remove(kubectl, name, namespace)  # what a run that was killed has left
        kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
        try:
            yield name
        finally:
            _remove(kubectl, name, namespace)


def _remove(kubectl: Callable[..., str], name: str, namespace: str) -> None:
    kubectl("delete", "pvc", CLAIM, "--namespace", namespace, "--ignore-not-found")
    kubectl("delete", "persistentvolume", name, "--ignore-not-found")
