"""A Katib trial template as a Pod template: placeholders become environment variables, which Kubernetes expands."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

from tuning_client.convert.source import note_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tuning_client.convert.source import Field

_PLACEHOLDER = re.compile(r"\$\{trialParameters\.([^}]+)\}")
_METADATA = {"${trialSpec.Name}": "$(TUNING_TRIAL)"}
_REPLICAS = {"PyTorchJob": "pytorchReplicaSpecs", "TFJob": "tfReplicaSpecs", "XGBoostJob": "xgbReplicaSpecs"}
_PRIMARY_REPLICAS = ("Master", "Chief", "Worker")
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def pod_template(template: Field, names: Mapping[str, str]) -> dict[str, Any]:
    """Make the Pod template of the primary Pod.

    Args:
        template: `spec.trialTemplate`.
        names: the tuned hyperparameters' names here, by Katib's.
    """
    pod = _pod(template)
    body = _body(pod)
    containers = {container["name"]: container for container in body["spec"]["containers"]}
    primary = template["primaryContainerName"]
    name = primary.text(next(iter(containers)))
    if name not in containers:
        raise primary.error(f"{name!r} is none of the template's containers: {', '.join(containers)}")
    if len(containers) > 1:
        body.setdefault("metadata", {}).setdefault("annotations", {})[_DEFAULT_CONTAINER] = name
    _expand(containers[name], _variables(template["trialParameters"], names))
    left = sorted(set(_left(body)))
    if left:
        pod.mention(
            f"{', '.join(left)} cannot be filled in: hyperparameters are variables in the environment of the "
            "training container, which Kubernetes expands in its command, args and env alone"
        )
    note_all([item["description"] for item in template["trialParameters"].children()], "is not kept")
    for condition in ("successCondition", "failureCondition"):
        template[condition].note("has no counterpart: a trial has succeeded when its training container exits with 0")
    template["primaryPodLabels"].note("has no counterpart: a trial is one Pod")
    return body


def training_container(template: Mapping[str, Any]) -> dict[str, Any]:
    """The container of a converted template that reports."""
    containers: list[dict[str, Any]] = template["spec"]["containers"]
    named = template.get("metadata", {}).get("annotations", {}).get(_DEFAULT_CONTAINER, containers[0]["name"])
    return next(container for container in containers if container["name"] == named)


def _pod(template: Field) -> Field:
    """The Pod template in the object that Katib would create for a trial."""
    trial = template["trialSpec"]
    if trial.is_empty():
        raise trial.error("is missing: put the template there, also one that lies in a ConfigMap")
    version, kind = trial["apiVersion"].text(), trial["kind"].text()
    if (version, kind) == ("batch/v1", "Job"):
        pod = trial["spec"]["template"]
    elif version == "kubeflow.org/v1" and kind in _REPLICAS:
        pod = _primary_replica(trial["spec"][_REPLICAS[kind]])
    else:
        raise trial.error(f"of kind {kind} ({version}) has no counterpart: write it as a Job of batch/v1")
    if pod["spec"]["containers"].is_empty():
        raise pod["spec"]["containers"].error("is missing: it says what a trial runs")
    return pod


def _primary_replica(replicas: Field) -> Field:
    """The template of the Pod that reports, of a training job of Kubeflow's operator."""
    role = next((replicas[name] for name in _PRIMARY_REPLICAS if not replicas[name].is_empty()), replicas)
    others = [item for item in replicas.children() if item.path != role.path]
    note_all(others, "a trial is one Pod: the others were left out")
    if not role["replicas"].is_empty() and role["replicas"].number(int) > 1:
        role["replicas"].note("a trial is one Pod")
    role["restartPolicy"].note("is Never here: a failed Pod is a trial's result")
    return role["template"]


def _body(pod: Field) -> dict[str, Any]:
    """The Pod template as the operator takes it."""
    spec = copy.deepcopy(pod["spec"].take())
    if spec.get("restartPolicy", "Never") != "Never":
        pod["spec"]["restartPolicy"].note("is Never here: a failed Pod is a trial's result")
        spec["restartPolicy"] = "Never"
    kept = {key: pod["metadata"][key] for key in ("labels", "annotations")}
    metadata = {key: copy.deepcopy(field.take()) for key, field in kept.items() if not field.is_empty()}
    return {"metadata": metadata, "spec": spec} if metadata else {"spec": spec}


def _variables(parameters: Field, names: Mapping[str, str]) -> dict[str, str]:
    """What stands here for each placeholder."""
    result = {}
    for item in parameters.children():
        reference = item["reference"].text()
        placeholder = f"${{trialParameters.{item['name'].text()}}}"
        if reference in names:
            result[placeholder] = f"$(HP_{names[reference]})"
        elif reference in _METADATA:
            result[placeholder] = _METADATA[reference]
        else:
            item["reference"].note(f"{reference} is no hyperparameter, and has no counterpart")
    return result


def _expand(container: dict[str, Any], variables: Mapping[str, str]) -> None:
    """Put variables for placeholders wherever Kubernetes expands variables."""

    def expanded(text: Any) -> Any:
        return (
            _PLACEHOLDER.sub(lambda match: variables.get(match.group(), match.group()), text)
            if isinstance(text, str)
            else text
        )

    for words in ("command", "args"):
        if words in container:
            container[words] = [expanded(word) for word in container[words]]
    for variable in container.get("env") or ():
        if "value" in variable:
            variable["value"] = expanded(variable["value"])


def _left(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _left(item)
    elif isinstance(value, list):
        for item in value:
            yield from _left(item)
    elif isinstance(value, str):
        yield from (match.group() for match in _PLACEHOLDER.finditer(value))
