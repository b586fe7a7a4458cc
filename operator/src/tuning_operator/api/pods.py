"""Builds the Pod of an attempt: the user's template and what the metrics contract adds to it.

The template is taken over unchanged, but for the additions named in `docs/metrics-contract.md`; the API server
validates the result.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names
from tuning_operator.api.sidecar import add_sidecar
from tuning_operator.core.model.sources import LogFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial

METRICS_PORT = 9464
_MASTER_PORT = "29500"


def build_pod(job: Job, template: Mapping[str, Any], trial: Trial, sidecar_image: str = "") -> dict[str, Any]:
    """Return the manifest of the trial's current attempt, or of each of its nodes.

    Args:
        job: The job, for its parameters and its source of metrics.
        template: Its Pod template.
        trial: The trial whose attempt it is.
        sidecar_image: What follows the training's log, where that is the source.

    Raises:
        ValueError: The template contradicts what is added to it; the message names the field.
    """
    parameters = job.spec.space.render(trial.parameters)
    spec = _copy(template["spec"])
    container = _training_container(spec, training_container_name(template))
    source = job.spec.source
    port = METRICS_PORT if isinstance(source, LogFile) else _metrics_port(container)
    environment = _environment(job, trial, parameters, port)
    _add_environment(container, environment)
    if job.spec.nodes > 1:
        _add_rendezvous(spec, container, job, trial)
    if isinstance(source, LogFile):
        add_sidecar(spec, container, source, sidecar_image, port, environment)
    container.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    spec["restartPolicy"] = "Never"
    if spec.get("automountServiceAccountToken") is None:  # null would be the service account's default: a token
        spec["automountServiceAccountToken"] = False
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(job, template, trial, parameters, port),
        "spec": spec,
    }


def _copy(spec: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return copy.deepcopy(dict(spec))
    except RecursionError:
        raise ValueError("spec.template.spec: nested too deeply for a Pod") from None


def training_container_name(template: Mapping[str, Any]) -> str:
    """Name of the training container: the annotated default container, else the first."""
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    first = template["spec"]["containers"][0]["name"]
    return str(annotations.get(names.ANNOTATION_DEFAULT_CONTAINER, first))


def _training_container(spec: Mapping[str, Any], name: str) -> dict[str, Any]:
    container: dict[str, Any]
    for container in spec["containers"]:
        if container["name"] == name:
            return container
    raise ValueError(
        f"spec.template: the annotation {names.ANNOTATION_DEFAULT_CONTAINER} names {name!r}, which is no container"
    )


def _metrics_port(container: dict[str, Any]) -> int:
    """Return the port named `metrics`, which is added unless the template has one."""
    ports = _entries(container, "ports")
    for port in ports:
        if port.get("name") == "metrics":
            number = port.get("containerPort")
            if not isinstance(number, int):
                raise ValueError(f"spec.template: port metrics of container {container['name']} has no containerPort")
            return number
    container["ports"] = [*ports, {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}]
    return METRICS_PORT


def _entries(container: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    """A list in the user's container, of which the API server has checked nothing yet."""
    entries = container.get(field) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"spec.template: {field} of container {container['name']} is no list of objects")
    return entries


def _environment(job: Job, trial: Trial, parameters: Mapping[str, str], port: int) -> dict[str, str]:
    everything = {**job.spec.static_parameters, **parameters}
    typed = {**job.spec.static_parameters, **trial.parameters}
    return {
        **{f"HP_{name}": value for name, value in everything.items()},
        "HYPERPARAMETERS": json.dumps(typed),
        "TUNING_JOB": job.name,
        "TUNING_TRIAL": trial.name,
        "TUNING_SEED": str(trial.seed),
        "TUNING_OBJECTIVE_METRIC": job.spec.objective.metric,
        "TUNING_METRICS_PORT": str(port),
    }


def _add_rendezvous(spec: dict[str, Any], container: dict[str, Any], job: Job, trial: Trial) -> None:
    """Tell the training which node it is, and where the first one is found: as `torchrun` wants it, and as others do.

    The host name is given by the Job controller.
    """
    given = [field for field in ("hostname", "subdomain") if spec.get(field)]
    if given:
        raise ValueError(f"spec.template.spec.{given[0]}: with spec.nodes the operator sets it: remove it")
    spec["subdomain"] = names.service_name(job.name)
    node = {"fieldRef": {"fieldPath": f"metadata.annotations['{names.COMPLETION_INDEX}']"}}
    variables: dict[str, str | dict[str, Any]] = {
        "NNODES": str(job.spec.nodes),
        "NODE_RANK": node,
        "MASTER_ADDR": f"{trial.attempt_name}-0.{spec['subdomain']}",
        "MASTER_PORT": _MASTER_PORT,
    }
    _add_environment(container, {**variables, **{f"PET_{name}": value for name, value in variables.items()}})


def _add_environment(container: dict[str, Any], variables: Mapping[str, str | dict[str, Any]]) -> None:
    """Put the variables before the template's own, so that those may refer to them as `$(HP_name)`.

    The value of a variable is a text, or where Kubernetes takes it from.
    """
    own = _entries(container, "env")
    taken = sorted({str(entry.get("name")) for entry in own} & set(variables))
    if taken:
        raise ValueError(
            f"spec.template: container {container['name']} sets {', '.join(taken)}, which the operator sets:"
            " remove it from env"
        )
    container["env"] = [
        {"name": name, "value" if isinstance(value, str) else "valueFrom": value} for name, value in variables.items()
    ] + own


def _metadata(
    job: Job, template: Mapping[str, Any], trial: Trial, parameters: Mapping[str, str], port: int
) -> dict[str, Any]:
    given = template.get("metadata") or {}
    scraping = {"prometheus.io/scrape": "true", "prometheus.io/port": str(port)}
    return {
        "name": trial.attempt_name,
        "namespace": job.namespace,
        "labels": {
            **(given.get("labels") or {}),
            **names.job_labels(job.name),
            names.LABEL_TRIAL: trial.name,
        },
        "annotations": {
            names.ANNOTATION_DEFAULT_CONTAINER: training_container_name(template),
            **scraping,
            **(given.get("annotations") or {}),
            names.ANNOTATION_PARAMETERS_HASH: names.parameters_hash(parameters),
        },
        "ownerReferences": [names.owner_reference(names.TRIAL_KIND, trial.name, trial.uid)],
    }
