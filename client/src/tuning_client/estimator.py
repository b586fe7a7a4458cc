"""What a trial runs: an image with its command, or a Pod template of your own; stands for SageMaker's estimator."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTAINER = "training"


class Estimator:
    """A training, without the hyperparameters that are tuned.

    Args:
        image_uri: of the training container.
        command: its program, instead of the image's entry point.
        args: its arguments. `$(HP_learning_rate)` in them is replaced by the trial's value; all hyperparameters are in
            the environment in any case.
        resources: as in a container's `resources`, for example `{"limits": {"nvidia.com/gpu": 1}}`.
        environment: further environment variables.
        volumes: volume sources by the path to mount them at, for example
            `{"/data": {"persistentVolumeClaim": {"claimName": "caltech"}}}`.
        container: further fields of the container, for example `{"securityContext": {…}}`.
        pod: further fields of the Pod, for example `{"nodeSelector": {…}}`.
        hyperparameters: those that are the same for all trials.
    """

    def __init__(
        self,
        image_uri: str,
        *,
        command: Sequence[str] | None = None,
        args: Sequence[str] | None = None,
        resources: Mapping[str, Any] | None = None,
        environment: Mapping[str, object] | None = None,
        volumes: Mapping[str, Mapping[str, Any]] | None = None,
        container: Mapping[str, Any] | None = None,
        pod: Mapping[str, Any] | None = None,
        hyperparameters: Mapping[str, object] | None = None,
    ) -> None:
        mounts = {path: f"volume-{number}" for number, path in enumerate(volumes or {}, start=1)}
        training = {
            "name": CONTAINER,
            "image": image_uri,
            "command": list(command or ()),
            "args": list(args or ()),
            "env": [{"name": name, "value": str(value)} for name, value in (environment or {}).items()],
            "resources": dict(resources or {}),
            "volumeMounts": [{"name": name, "mountPath": path} for path, name in mounts.items()],
            **(container or {}),
        }
        spec = {
            "containers": [_without_empty(training)],
            "volumes": [{"name": name, **(volumes or {})[path]} for path, name in mounts.items()],
            **(pod or {}),
        }
        self._template: dict[str, Any] = copy.deepcopy({"spec": _without_empty(spec)})
        self._hyperparameters: dict[str, str] = {}
        self.set_hyperparameters(**(hyperparameters or {}))

    @classmethod
    def from_template(
        cls,
        template: Mapping[str, Any] | str | PathLike[str],
        *,
        hyperparameters: Mapping[str, object] | None = None,
    ) -> Self:
        """Take a Pod template as it is: a mapping with `spec` and maybe `metadata`, or a YAML file with one or a Pod.

        Raises:
            ValueError: it is none.
        """
        body = yaml.safe_load(Path(template).read_text()) if isinstance(template, str | PathLike) else template
        spec = body.get("spec") if isinstance(body, Mapping) else None
        if not isinstance(spec, Mapping) or not spec.get("containers"):
            raise ValueError(
                "a Pod template has spec.containers with at least one container, as in "
                "{'spec': {'containers': [{'name': 'training', 'image': '…'}]}}"
            )
        estimator = cls("", hyperparameters=hyperparameters)
        metadata = {key: value for key, value in body.get("metadata", {}).items() if key in {"labels", "annotations"}}
        estimator._template = copy.deepcopy(_without_empty({"metadata": metadata, "spec": spec}))
        return estimator

    def set_hyperparameters(self, **hyperparameters: object) -> None:
        """Set hyperparameters that are the same for all trials; a range for the same name in the tuner wins."""
        self._hyperparameters.update({name: str(value) for name, value in hyperparameters.items()})

    def hyperparameters(self) -> dict[str, str]:
        """The hyperparameters that are the same for all trials, as texts."""
        return dict(self._hyperparameters)

    @property
    def image_uri(self) -> str:
        """The image of the first container."""
        return str(self._template["spec"]["containers"][0]["image"])

    def template(self) -> dict[str, Any]:
        """The Pod template, as it stands in `spec.template`."""
        return copy.deepcopy(self._template)


def _without_empty(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value not in ([], {}, None)}
