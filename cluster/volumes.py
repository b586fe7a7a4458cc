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
        remove_volume(kubectl, namespace)  # what a run that was killed has left
        create_volume(kubectl, namespace, Path(folder))
        try:
            yield name_of(namespace)
        finally:
            remove_volume(kubectl, namespace)


def create_volume(kubectl: Callable[..., str], namespace: str, folder: Path) -> None:
    """Make a folder of the node, in which any user may write, the volume of the namespace's claim."""
    folder.chmod(0o777)
    manifest = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name_of(namespace)},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteMany"],
            "claimRef": {"name": CLAIM, "namespace": namespace},
            "hostPath": {"path": str(folder)},
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


def remove_volume(kubectl: Callable[..., str], namespace: str) -> None:
    """Remove claim and volume, if there are any; fails where a Pod still uses them. The folder stays."""
    kubectl("delete", "pvc", CLAIM, "--namespace", namespace, "--ignore-not-found", "--timeout=60s")
    kubectl("delete", "persistentvolume", name_of(namespace), "--ignore-not-found")


def name_of(namespace: str) -> str:
    """Return the name of the volume for a namespace's claim."""
    return f"{CLAIM}-{namespace}"
