"""SageMaker's TrainingJobDefinition as a Pod template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_client.convert.instances import described, gpus
from tuning_client.convert.job import LEFT_OUT, MAX_NODES, PLACEHOLDER_IMAGE, bounded, environment
from tuning_client.convert.source import note_all

if TYPE_CHECKING:
    from tuning_client.convert.source import Field

_NO_COUNTERPART = {
    "RoleArn": "has no counterpart: what a Pod may do comes from its serviceAccountName in spec.template.spec",
    "InputDataConfig": "no data is fetched: mount a volume that has it, or fetch it by an init container",
    "OutputDataConfig": "nothing is uploaded: let the training write to a volume or a bucket",
    "VpcConfig": "has no counterpart: Pods are in the cluster's network; restrict them by a NetworkPolicy",
    "CheckpointConfig": "nothing is copied: mount a volume, and set spec.checkpointDir to a folder on it",
    "DefinitionName": "has no counterpart: a job has one template, which needs no name",
}
_SWITCHES = {
    "EnableNetworkIsolation": "has no counterpart: restrict the Pods by a NetworkPolicy",
    "EnableInterContainerTrafficEncryption": "has no counterpart: encryption is the cluster network's business",
    "EnableManagedSpotTraining": (
        "is for the template to say: let spec.template.spec tolerate and select spot nodes; attempts that lose their "
        "node are repeated"
    ),
}
"""Switches without a counterpart; only those that are on are worth a note."""


def template(definition: Field) -> dict[str, Any]:
    """Return the Pod template of a definition; it has one container."""
    algorithm = definition["AlgorithmSpecification"]
    image = algorithm["TrainingImage"]
    container: dict[str, Any] = {"name": "training", "image": PLACEHOLDER_IMAGE}
    with image.or_left_out(f"the image is {PLACEHOLDER_IMAGE}: choose your own"):
        container["image"] = image.text(PLACEHOLDER_IMAGE)
    note_all(
        [image if not image.is_empty() else algorithm["AlgorithmName"]],
        "an image made for SageMaker looks for hyperparameters and data in /opt/ml; here hyperparameters are in its "
        "environment (HP_<name>, and all in HYPERPARAMETERS), data in the volumes that you mount, and it has to report "
        "each epoch (docs/metrics-contract.md)",
    )
    algorithm["TrainingInputMode"].note("has no counterpart: data is in volumes that you mount")
    variables = environment(definition["Environment"])
    if variables:
        container["env"] = variables
    count = _gpus(definition)
    if count:
        container["resources"] = {"limits": {"nvidia.com/gpu": count}}
    spec: dict[str, Any] = {"containers": [container]}
    _mention_the_rest(definition)
    return {"spec": spec}


def nodes(definition: Field) -> int | None:
    """Return the number of nodes of a trial; None for one."""
    wanted = [bounded(place["InstanceCount"], 1, MAX_NODES) for place in _instances(definition)]
    return max((count for count in wanted if count is not None and count > 1), default=None)


def _instances(definition: Field) -> list[Field]:
    """Where instances are described: the first of several that SageMaker may choose from."""
    tuning, training = definition["HyperParameterTuningResourceConfig"], definition["ResourceConfig"]
    named = ("InstanceType", "InstanceCount")
    places = [place for place in (training, tuning) if any(not place[name].is_empty() for name in named)]
    choices = [*tuning["InstanceConfigs"].children(), *training["InstanceGroups"].children()]
    return places or choices[:1]


def _gpus(definition: Field) -> int:
    """GPUs of a node, by the instance type."""
    found = 0
    for place in _instances(definition):
        instance = place["InstanceType"]
        if instance.is_empty():
            continue
        with instance.or_left_out("the container asks for no GPU: set its resources yourself"):
            name = instance.text()
            instance.note(f"{name}: {described(name)}")
            found = gpus(name) or 0
    for name in ("ResourceConfig", "HyperParameterTuningResourceConfig"):
        definition[name]["VolumeSizeInGB"].note("is not a volume here: request ephemeral-storage, or mount a volume")
        for choice in ("InstanceConfigs", "InstanceGroups"):
            definition[name][choice].note(
                "all nodes of a trial are made from one template: of several kinds the first was taken, if "
                "ResourceConfig names none; let the template's affinity prefer some nodes to others"
            )
    return found


def _mention_the_rest(definition: Field) -> None:
    for name in ("MaxWaitTimeInSeconds", "MaxPendingTimeInSeconds"):
        definition["StoppingCondition"][name].note(
            "has no counterpart: a trial waits for a node as long as it takes; spec.limits.maxDuration bounds the job"
        )
    for name, words in _NO_COUNTERPART.items():
        definition[name].note(words)
    for name, words in _SWITCHES.items():
        with definition[name].or_left_out(LEFT_OUT):
            if definition[name].flag():
                definition[name].note(words)
