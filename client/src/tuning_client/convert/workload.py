"""What a Katib trial runs, as the template of its nodes: the objects that Kubernetes and Kubeflow's operators take."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuning_client.convert.job import (
    MAX_ATTEMPTS,
    MAX_NODES,
    MAX_SECONDS,
    PLACEHOLDER_IMAGE,
    bounded,
    kept_metadata,
)

if TYPE_CHECKING:
    from tuning_client.convert.source import Field

_VERSIONS = {
    "batch": ("batch/v1",),
    "kubeflow.org": ("kubeflow.org/v1", "kubeflow.org/v2beta1"),
    "trainer.kubeflow.org": ("trainer.kubeflow.org/v1alpha1",),
}
_REPLICAS = {
    "PyTorchJob": "pytorchReplicaSpecs",
    "TFJob": "tfReplicaSpecs",
    "XGBoostJob": "xgbReplicaSpecs",
    "PaddleJob": "paddleReplicaSpecs",
    "MPIJob": "mpiReplicaSpecs",
}
_TRAINING_ROLES = ("Master", "Chief", "Launcher", "Worker")
"""Roles whose Pods train; the first one that there is reports, and its template is that of all nodes."""
_NODE_VARIABLES = [{"name": "WORLD_SIZE", "value": "$(NNODES)"}, {"name": "RANK", "value": "$(NODE_RANK)"}]
_RENDEZVOUS = {
    "TFJob": "TF_CONFIG is not set: make it of NNODES, NODE_RANK and MASTER_ADDR",
    "MPIJob": "mpirun and ssh are not set up between them: start the training on each node, as by torchrun",
    "PaddleJob": "Paddle's variables are not set: make them of NNODES, NODE_RANK and MASTER_ADDR",
}
_PER_NODE = "PET_NPROC_PER_NODE"
_JOBS_ATTEMPTS = 7
"""Of a batch Job that does not say its backoffLimit."""


@dataclass
class Workload:
    """A trial's Pods.

    Attributes:
        pod: where their template stands.
        body: the template.
        nodes: how many there are.
        attempts: how often a training may fail; None where nothing is said.
        deadline: the seconds that an attempt may take; None where nothing is said.
        variables: what the nodes get in their environment with Kubeflow.
    """

    pod: Field
    body: dict[str, Any]
    nodes: int = 1
    attempts: int | None = None
    deadline: int | None = None
    variables: list[dict[str, str]] = field(default_factory=list)


def workload(trial: Field) -> Workload:
    """Return what `spec.trialTemplate.trialSpec` runs."""
    if trial.is_empty():
        raise trial.error("is missing: put the template there, also one that lies in a ConfigMap")
    version, kind = trial["apiVersion"].text(), trial["kind"].text()
    group = version.partition("/")[0]
    known = _VERSIONS.get(group, ())
    if known and version not in known:
        trial["apiVersion"].mention(f"{version} is not known here, and was read like {known[0]}")
    if group == "batch" and kind == "Job":
        return _batch_job(trial["spec"])
    if group == "kubeflow.org" and kind in _REPLICAS:
        return _kubeflow_job(trial["spec"], kind)
    if group == "trainer.kubeflow.org" and kind == "TrainJob":
        return train_job(trial["spec"])
    if (version, kind) == ("v1", "Pod"):
        return Workload(trial, _body(trial))
    found = Workload(trial, {"spec": {"containers": [{"name": "train", "image": PLACEHOLDER_IMAGE}]}})
    trial.note(
        f"of kind {kind} ({version}) has no counterpart: write the Pod that trains into spec.template; its image is "
        f"{PLACEHOLDER_IMAGE} here"
    )
    return found


def _batch_job(spec: Field) -> Workload:
    found = Workload(spec["template"], _body(spec["template"]))
    _limits(found, spec, spec)
    if spec["backoffLimit"].is_empty():
        spec["backoffLimit"].mention(
            f"is not set: a Job is then tried {_JOBS_ATTEMPTS} times, a trial once; see spec.retry.maxAttempts"
        )
    counts = [bounded(spec[name], 1, MAX_NODES) for name in ("completions", "parallelism")]
    most = max(count or 1 for count in counts)
    if most > 1 and spec["completionMode"].text("NonIndexed") == "Indexed":
        found.nodes = most
        words = f"became spec.nodes {most}: Pods that train one trial together, all at the same time (docs/nodes.md)"
    else:
        words = "a trial is one Pod: those of a Job that is not Indexed have no numbers; see spec.nodes (docs/nodes.md)"
    for name, count in zip(("completions", "parallelism"), counts, strict=True):
        if count is not None and most > 1:
            spec[name].note(words)
    return found


def _kubeflow_job(spec: Field, kind: str) -> Workload:
    replicas = spec[_REPLICAS[kind]]
    roles = [replicas[name] for name in _TRAINING_ROLES if not replicas[name].is_empty()]
    first = next(iter(roles or replicas.children()), None)
    if first is None:
        raise replicas.error("is missing: it says what a trial runs")
    found = Workload(first["template"], _body(first["template"]))
    policy = spec["runPolicy"]
    _limits(found, policy, spec)
    policy["cleanPodPolicy"].note("is spec.podCleanup here: Pods are kept")
    counted = [role for role in roles if not (kind == "MPIJob" and role.name == "Launcher" and len(roles) > 1)]
    found.nodes = _nodes(counted)
    for role in replicas.children():
        role["restartPolicy"].note("is Never here: a failed Pod is a trial's result, see spec.retry")
        if role.path == first.path:
            continue
        if role.path not in [item.path for item in roles]:
            role.note("has no counterpart: all nodes of a trial train, by one template (docs/nodes.md)")
        elif role["template"].value == first["template"].value:
            role["template"].take()
        else:
            role["template"].note(f"was replaced by that of {first.name}, which all nodes of a trial use")
    if kind == "MPIJob":
        _add_resources(found, replicas)
    if found.nodes > 1:
        others = _RENDEZVOUS.get(kind, "the variables RANK and WORLD_SIZE are set as well")
        replicas.mention(
            f"became spec.nodes {found.nodes} (docs/nodes.md), which find each other by MASTER_ADDR; {others}"
        )
        found.variables = [] if kind in _RENDEZVOUS else list(_NODE_VARIABLES)
    for name in ("nprocPerNode", "slotsPerWorker"):
        _per_node(found, spec[name])
    return found


def _add_resources(found: Workload, replicas: Field) -> None:
    """The launcher, whose template all nodes have, asks for what the workers ask for, unless it asks itself."""
    replicas["Launcher"]["replicas"].take()
    containers = found.body["spec"]["containers"]
    place = next(iter(replicas["Worker"]["template"]["spec"]["containers"].children()), None)
    first = containers[0] if isinstance(containers, list) else None
    if isinstance(first, dict) and not first.get("resources") and place and not place["resources"].is_empty():
        first["resources"] = copy.deepcopy(place["resources"].take())
        place["resources"].mention("are those of all nodes")


def train_job(spec: Field) -> Workload:
    """Return what a Kubeflow TrainJob runs, as far as it says so itself."""
    trainer, runtime = spec["trainer"], spec["runtimeRef"]
    container: dict[str, Any] = {"name": "node", "image": PLACEHOLDER_IMAGE}
    image = trainer["image"]
    if image.is_empty():
        image.mention(f"is not set, since the runtime provides it; it is {PLACEHOLDER_IMAGE} here: choose your own")
    else:
        with image.or_left_out(f"the image is {PLACEHOLDER_IMAGE}: choose your own"):
            container["image"] = image.text()
    kept = {"command": "command", "args": "args", "env": "env", "resourcesPerNode": "resources"}
    container |= {
        ours: copy.deepcopy(trainer[name].take()) for name, ours in kept.items() if not trainer[name].is_empty()
    }
    runtime.note("was not read: put what the runtime adds, such as volumes and tolerations, into spec.template")
    body: dict[str, Any] = {"spec": {"containers": [container]}}
    own = kept_metadata(spec)
    found = Workload(spec, {"metadata": own, **body} if own else body)
    found.nodes = bounded(trainer["numNodes"], 1, MAX_NODES) or 1
    if found.nodes > 1:
        trainer["numNodes"].note(f"became spec.nodes {found.nodes} (docs/nodes.md), as torchrun knows them")
    _per_node(found, trainer["numProcPerNode"])
    spec["activeDeadlineSeconds"].take()
    found.deadline = bounded(spec["activeDeadlineSeconds"], 1, MAX_SECONDS)
    return found


def _nodes(roles: list[Field]) -> int:
    total = sum(bounded(role["replicas"], 1, MAX_NODES) or 1 for role in roles)
    if total > MAX_NODES:
        roles[-1]["replicas"].note(f"makes {total} nodes, of which a trial has at most {MAX_NODES}")
    return max(1, min(total, MAX_NODES))


def _limits(found: Workload, policy: Field, spec: Field) -> None:
    """How often and how long a training is tried."""
    again = bounded(policy["backoffLimit"], 0, MAX_ATTEMPTS - 1)
    if again is not None:
        found.attempts = again + 1
        policy["backoffLimit"].note(f"became spec.retry.maxAttempts {found.attempts}, the first attempt included")
    found.deadline = bounded(policy["activeDeadlineSeconds"], 1, MAX_SECONDS)
    if found.deadline is not None:
        policy["activeDeadlineSeconds"].note("is activeDeadlineSeconds of the Pod: the limit of each attempt")
    policy["ttlSecondsAfterFinished"].note(
        "is one trial's: spec.podCleanup deletes Pods, spec.ttlSecondsAfterFinished the whole tuning job"
    )
    for place in (policy["suspend"], spec["suspend"]):
        if place.value not in (None, False):
            place.note("is one trial's: spec.suspend is that of the tuning job")


def _per_node(found: Workload, place: Field) -> None:
    if place.is_empty():
        return
    with place.or_left_out("it was left out"):
        found.variables.append({"name": _PER_NODE, "value": place.text()})
        place.note(f"is the variable {_PER_NODE}, which torchrun reads")


def _body(pod: Field) -> dict[str, Any]:
    """A Pod template as the source has it."""
    if not isinstance(pod["spec"].value, dict) or pod["spec"]["containers"].is_empty():
        raise pod["spec"]["containers"].error("is missing: it says what a trial runs")
    own = kept_metadata(pod["metadata"])
    body = {"spec": copy.deepcopy(pod["spec"].take())}
    return {"metadata": own, **body} if own else body
