"""Decides where a trial keeps its checkpoints, and whether they outlive its Pod."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.core.model.trial import Trial

_GONE_WITH_THE_POD = ("emptyDir", "ephemeral", "gitRepo")
_READ_ONLY = ("configMap", "secret", "downwardAPI", "projected", "image")


def checkpoint_folder(directory: str, trial: Trial) -> str:
    """Return the trial's own folder, which no trial of another job of the same name has."""
    return f"{directory}/{trial.name}-{trial.uid[:8]}"


def check_checkpoints(spec: Mapping[str, Any], container: Mapping[str, Any], directory: str) -> None:
    """Check that the directory lies on a volume that stays.

    Args:
        spec: Of the Pod template.
        container: The training container.
        directory: An absolute path in it.

    Raises:
        ValueError: It does not; the message says what to mount.
    """
    where = f"spec.checkpointDir: {directory} of container {container['name']}"
    remedy = "mount a volume there that outlives the Pod, such as a persistentVolumeClaim, or remove checkpointDir"
    path = PurePosixPath(directory)
    mounts = [mount for mount in container.get("volumeMounts") or () if _holds(mount, path)]
    if not mounts:
        raise ValueError(f"{where} is not on a volume: {remedy}")
    mount = max(mounts, key=lambda mount: len(PurePosixPath(mount["mountPath"]).parts))
    volumes = (volume for volume in spec.get("volumes") or () if volume.get("name") == mount.get("name"))
    volume: Mapping[str, Any] = next(volumes, {})
    kind = next((kind for kind in (*_GONE_WITH_THE_POD, *_READ_ONLY) if volume.get(kind) is not None), None)
    if kind in _GONE_WITH_THE_POD:
        raise ValueError(f"{where} is on volume {volume['name']}, whose {kind} is deleted with the Pod: {remedy}")
    if kind is not None or mount.get("readOnly"):
        raise ValueError(f"{where} is on volume {mount.get('name')}, which is read-only: {remedy}")


def _holds(mount: Mapping[str, Any], path: PurePosixPath) -> bool:
    """Whether a volume is mounted at the path, or above it."""
    return bool(mount.get("mountPath")) and path.is_relative_to(PurePosixPath(mount["mountPath"]))
