"""What a trial runs: an image with its command, or a Pod template of your own; stands for SageMaker's estimator."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

from tuning_client.convert.instances import described, gpus
from tuning_client.elsewhere import ESTIMATOR, ESTIMATOR_METHODS, missing, refuse
from tuning_client.kinds import MAPPING, MAPPINGS, NAMED_MAPPINGS, TEXT, Kind, check
from tuning_client.names import labels
from tuning_client.parameters import Whole, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTAINER = "training"
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_KINDS: dict[str, Kind | type] = {
    **dict.fromkeys(("image_uri", "instance_type", "base_job_name"), TEXT),
    **dict.fromkeys(("resources", "environment", "container", "pod", "hyperparameters"), MAPPING),
    "volumes": NAMED_MAPPINGS,
    "metric_definitions": MAPPINGS,
}


class Estimator:
    """A training, without the hyperparameters that are tuned.

    Other arguments of SageMaker's estimators are refused with a word about what to write instead.

    Args:
        image_uri: of the training container.
        role: not taken, as it is SageMaker's.
        instance_count: the nodes that train one trial together.
        instance_type: such as ml.p3.2xlarge, for its number of GPUs, unless `resources` says what is asked for.
        command: its program, instead of the image's entry point; SageMaker's name is container_entry_point.
        args: its arguments; SageMaker's name is container_arguments. `$(HP_learning_rate)` in them is replaced by the
            trial's value; all hyperparameters are always in the environment.
        resources: as in a container's `resources`, for example `{"limits": {"nvidia.com/gpu": 1}}`.
        environment: further environment variables.
        volumes: volume sources by the path to mount them at, for example
            `{"/data": {"persistentVolumeClaim": {"claimName": "caltech"}}}`.
        container: further fields of the container, for example `{"securityContext": {…}}`.
        pod: further fields of the Pod, for example `{"nodeSelector": {…}}`.
        hyperparameters: those that are the same for all trials.
        max_run: the longest that a trial may train, in seconds; one that takes longer ends with what it has reached.
        max_retry_attempts: how often a training that failed is tried again.
        metric_definitions: patterns by which metrics are found in the training's output, see HyperparameterTuner.
        tags: labels of the Pods.
        base_job_name: what names of jobs begin with, unless the tuner has another.
    """

    def __init__(
        self,
        image_uri: str,
        role: str | None = None,
        instance_count: Whole | None = None,
        instance_type: str | None = None,
        *,
        command: Sequence[str] | None = None,
        args: Sequence[str] | None = None,
        container_entry_point: Sequence[str] | None = None,
        container_arguments: Sequence[str] | None = None,
        resources: Mapping[str, Any] | None = None,
        environment: Mapping[str, object] | None = None,
        volumes: Mapping[str, Mapping[str, Any]] | None = None,
        container: Mapping[str, Any] | None = None,
        pod: Mapping[str, Any] | None = None,
        hyperparameters: Mapping[str, object] | None = None,
        max_run: Whole | None = None,
        max_retry_attempts: Whole | None = None,
        metric_definitions: Sequence[Mapping[str, str]] | None = None,
        tags: Sequence[Mapping[str, str]] | Mapping[str, str] | None = None,
        base_job_name: str | None = None,
        **other: Any,
    ) -> None:
        given = locals()
        refuse("Estimator", {"role": role, **other}, ESTIMATOR)
        check("Estimator", _KINDS, given, "image_uri")
        mounts = {path: f"volume-{number}" for number, path in enumerate(volumes or {}, start=1)}
        training = {
            "name": CONTAINER,
            "image": image_uri,
            "command": _words(command if command is not None else container_entry_point, "command"),
            "args": _words(args if args is not None else container_arguments, "args"),
            "env": [{"name": name, "value": str(value)} for name, value in (environment or {}).items()],
            "resources": dict(resources or _resources(instance_type)),
            "volumeMounts": [{"name": name, "mountPath": path} for path, name in mounts.items()],
            **(container or {}),
        }
        spec = {
            "containers": [_without_empty(training)],
            "volumes": [{"name": name, **(volumes or {})[path]} for path, name in mounts.items()],
            **(pod or {}),
        }
        pod_labels = labels(tags)
        own = {"labels": pod_labels} if pod_labels else {}
        self._template: dict[str, Any] = copy.deepcopy(_without_empty({"metadata": own, "spec": _without_empty(spec)}))
        self.base_job_name = base_job_name
        self.metric_definitions = [] if metric_definitions is None else list(metric_definitions)
        self._nodes = None if instance_count is None else whole(instance_count, "instance_count")
        self._attempts = None if max_retry_attempts is None else whole(max_retry_attempts, "max_retry_attempts") + 1
        self._max_run = None if max_run is None else whole(max_run, "max_run")
        self._hyperparameters: dict[str, str] = {}
        self.set_hyperparameters(**(hyperparameters or {}))

    def __getattr__(self, name: str) -> Any:
        raise missing(self, name, ESTIMATOR_METHODS)

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
        """Return the hyperparameters that are the same for all trials, as texts."""
        return dict(self._hyperparameters)

    @property
    def image_uri(self) -> str:
        """The image of the first container."""
        return str(self._template["spec"]["containers"][0]["image"])

    def training_image_uri(self) -> str:
        """Return the image of the first container."""
        return self.image_uri

    def template(self) -> dict[str, Any]:
        """Return the Pod template, as in `spec.template`."""
        return copy.deepcopy(self._template)

    def limits(self) -> dict[str, Any]:
        """Return the job's limits that the estimator sets."""
        return {} if self._max_run is None else {"maxTrialDuration": f"{self._max_run}s"}

    def spec(self) -> dict[str, Any]:
        """Return the rest of a job's spec that the estimator sets: nodes and attempts."""
        return {
            "nodes": self._nodes if (self._nodes or 1) != 1 else None,
            "retry": None if self._attempts is None else {"maxAttempts": self._attempts},
        }


def training_container(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container of a template that trains: the one that its annotation names, else the first."""
    containers: list[dict[str, Any]] = template["spec"]["containers"]
    named = template.get("metadata", {}).get("annotations", {}).get(DEFAULT_CONTAINER)
    return next((container for container in containers if container.get("name") == named), containers[0])


def _words(given: Sequence[str] | None, what: str) -> list[str]:
    if isinstance(given, str | bytes) or (given is not None and not isinstance(given, Iterable)):
        raise TypeError(f"{what} must be a list of strings, as in ['python', 'train.py'], not {given!r}")
    return [] if given is None else [str(word) for word in given]


def _resources(instance_type: str | None) -> dict[str, Any]:
    if instance_type is None:
        return {}
    count = gpus(instance_type)
    if count is None:
        raise ValueError(f"instance_type {instance_type!r}: {described(instance_type)}, by resources= of Estimator")
    return {"limits": {"nvidia.com/gpu": count}} if count else {}


def _without_empty(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value not in ([], {}, None)}
