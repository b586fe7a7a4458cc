"""Builds the Pod of an attempt: the user's template and what the metrics contract adds to it.

The template stays unchanged, but for the additions that `docs/metrics-contract.md` lists; the API server
validates the result.
"""

from __future__ import annotations

import copy
import json
import math
import re
from typing import TYPE_CHECKING, Any

from tuning_operator.api import names, sidecar
from tuning_operator.api.checkpoints import check_checkpoints, checkpoint_folder
from tuning_operator.api.jobspec import SEED
from tuning_operator.api.podoptions import PodOptions
from tuning_operator.api.references import check_references
from tuning_operator.api.template import check_template
from tuning_operator.api.termination import MAX_BYTES, MAX_POD_BYTES
from tuning_operator.api.values import literal
from tuning_operator.core.model.sources import LogFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.core.model.job import Job
    from tuning_operator.core.model.trial import Trial
    from tuning_operator.core.space import Value

METRICS_PORT = 9464
CHECKPOINT_DIR = "TUNING_CHECKPOINT_DIR"
MODEL_DIR = "TUNING_MODEL_DIR"
_LONGEST_MODEL_DIR = 900
_MASTER_PORT = "29500"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DEFAULTS = PodOptions()


def build_pod(job: Job, template: Mapping[str, Any], trial: Trial, options: PodOptions = _DEFAULTS) -> dict[str, Any]:
    """Return the manifest of the trial's current attempt, or of each of its nodes.

    Args:
        job: The job, for its parameters and its source of metrics.
        template: Its Pod template.
        trial: The trial whose attempt it is.
        options: What the operator's settings say about Pods.

    Raises:
        ValueError: The template contradicts what is added to it; the message names the field.
    """
    check_template(template)
    _check_names(template["spec"])
    parameters = job.spec.space.render(trial.parameters)
    spec = _copy(template["spec"])
    container = _training_container(spec, training_container_name(template))
    if job.spec.checkpoint_dir is not None:
        check_checkpoints(spec, container, job.spec.checkpoint_dir)
    source = job.spec.source
    port = METRICS_PORT if isinstance(source, LogFile) else _metrics_port(container)
    environment = _environment(job, trial, parameters, port, _message_bytes(spec, source))
    _add_environment(container, environment)
    if job.spec.nodes > 1:
        _add_rendezvous(spec, container, job, trial)
    if isinstance(source, LogFile):
        sidecar.add_sidecar(spec, container, source, options, port, environment)
    for each in (container, *(spec.get("initContainers") or ())):
        if each.get("terminationMessagePolicy") is None:
            each["terminationMessagePolicy"] = "FallbackToLogsOnError"
    spec["restartPolicy"] = "Never"
    if spec.get("automountServiceAccountToken") is None:  # null would be the service account's default: a token
        spec["automountServiceAccountToken"] = False
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(job, template, trial, parameters, port),
        "spec": spec,
    }


def check_variables(template: Mapping[str, Any], pod: Mapping[str, Any]) -> None:
    """Check that what the template refers to as `$(NAME)` is defined, by itself or in the Pod that was built from it.

    It is for a template that is new: with one that runs, nobody is helped by it.

    Raises:
        ValueError: Something is not defined; the message names the field.
    """
    name = training_container_name(template)
    container = _training_container(pod["spec"], name)
    own = {str(entry.get("name")) for entry in _training_container(template["spec"], name).get("env") or ()}
    check_references(template, name, [entry["name"] for entry in container["env"] if entry.get("name") not in own])


def model_folder(template: Mapping[str, Any], trial: Trial) -> str | None:
    """Where the template lets a trial leave its models, as its training sees it; None where that is not known."""
    name = training_container_name(template)
    variables = _training_container(template["spec"], name).get("env") or ()
    given = next((str(entry.get("value") or "") for entry in variables if entry.get("name") == MODEL_DIR), "")
    if not given or "$" in given or len(given) > _LONGEST_MODEL_DIR:
        return None
    return f"{given.rstrip('/')}/{trial.name}-{trial.seed}"


def _check_names(spec: Mapping[str, Any]) -> None:
    """Keep the sidecar's name free: what a container of that name leaves would be taken for the sidecar's."""
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            if container["name"] == sidecar.NAME:
                raise ValueError(
                    f"spec.template.spec.{field}[{index}].name: {sidecar.NAME} is the name of the operator's own"
                    " container: choose another"
                )


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
        f"spec.template: the annotation {names.ANNOTATION_DEFAULT_CONTAINER} names {name!r}, which is not a container"
    )


def _metrics_port(container: dict[str, Any]) -> int:
    """Return the port named `metrics`, which is added unless the template has one."""
    ports = container.get("ports") or []
    for port in ports:
        if port.get("name") == "metrics":
            number = port.get("containerPort")
            if number is None:
                raise ValueError(f"spec.template: port metrics of container {container['name']} has no containerPort")
            return int(number)
    container["ports"] = [*ports, {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}]
    return METRICS_PORT


def _message_bytes(spec: Mapping[str, Any], source: object) -> int:
    """How long a container's termination message may be: the kubelet divides what it keeps of a Pod's among them."""
    own = len(spec["containers"]) + len(spec.get("initContainers") or ())
    return min(MAX_BYTES, MAX_POD_BYTES // (own + isinstance(source, LogFile)))


def _environment(
    job: Job, trial: Trial, parameters: Mapping[str, str], port: int, message_bytes: int
) -> dict[str, str]:
    everything, directory = {**job.spec.static_parameters, **parameters}, job.spec.checkpoint_dir
    return {
        **{f"HP_{name}": value for name, value in everything.items()},
        "HYPERPARAMETERS": _as_json(job.spec.static_parameters, trial.parameters),
        "TUNING_JOB": job.name,
        "TUNING_TRIAL": trial.name,
        SEED: str(trial.seed),
        "TUNING_OBJECTIVE_METRIC": job.spec.objective.metric,
        "TUNING_OBJECTIVE_GOAL": job.spec.objective.goal,
        "TUNING_METRICS_PORT": str(port),
        "TUNING_TERMINATION_BYTES": str(message_bytes),
        **({CHECKPOINT_DIR: checkpoint_folder(directory, trial)} if directory is not None else {}),
    }


def _as_json(static: Mapping[str, str], tuned: Mapping[str, Value]) -> str:
    """All hyperparameters as one object; a static text that is plainly a number is one, as it is written."""
    values = {name: text if _is_number(text) else json.dumps(text) for name, text in static.items()}
    values |= {name: json.dumps(value) for name, value in tuned.items()}
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in values.items()) + "}"


def _is_number(text: str) -> bool:
    """Whether JSON has this number, and everybody who reads it."""
    return bool(_NUMBER.fullmatch(text)) and math.isfinite(float(text))


def _add_rendezvous(spec: dict[str, Any], container: dict[str, Any], job: Job, trial: Trial) -> None:
    """Tell the training which node it is, and where the first one is found: as `torchrun` wants it, and as others do.

    The host name is given by the Job controller.
    """
    given = [field for field in ("hostname", "subdomain") if spec.get(field)]
    if given:
        raise ValueError(f"spec.template.spec.{given[0]}: remove it: with spec.nodes the operator sets it")
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
    own = container.get("env") or []
    taken = sorted({str(entry.get("name")) for entry in own} & set(variables))
    if taken:
        raise ValueError(
            f"spec.template: container {container['name']} sets {', '.join(taken)}, which the operator sets:"
            " remove it from env"
        )
    container["env"] = [
        {"name": name} | ({"value": literal(value)} if isinstance(value, str) else {"valueFrom": value})
        for name, value in variables.items()
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
