"""SageMaker's tuning jobs: its API's request, and the resources of ACK and of AWS's old operator, which repeat it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tuning_client.convert.collectors import sagemaker_source
from tuning_client.convert.instances import gpus
from tuning_client.convert.job import (
    PLACEHOLDER_IMAGE,
    Search,
    hyperband,
    job_name,
    limits,
    manifest,
    metadata,
    parameter_name,
)
from tuning_client.convert.source import note_all
from tuning_client.parameters import SCALES

if TYPE_CHECKING:
    from tuning_client.convert.source import Field, Source

MAX_ATTEMPTS = 30
FEWEST_STALLED = 3
STRATEGIES = ("Bayesian", "Random", "Grid", "Hyperband")
_LABEL = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_NO_COUNTERPART = {
    "RoleArn": "has no counterpart: what a Pod may do comes from its serviceAccountName in spec.template.spec",
    "InputDataConfig": "no data is fetched: mount a volume that has it, or fetch it by an init container",
    "OutputDataConfig": "nothing is uploaded: let the training write to a volume or a bucket of its own",
    "VpcConfig": "has no counterpart: Pods are in the cluster's network; restrict them by a NetworkPolicy",
    "CheckpointConfig": (
        "nothing is copied: mount a volume, a folder for each trial (subPathExpr: $(TUNING_TRIAL)-$(TUNING_SEED))"
    ),
    "DefinitionName": "has no counterpart: a job has one template, which needs no name",
}
_SWITCHES = {
    "EnableNetworkIsolation": "has no counterpart: restrict the Pods by a NetworkPolicy",
    "EnableInterContainerTrafficEncryption": "has no counterpart: encryption is the cluster network's business",
    "EnableManagedSpotTraining": (
        "has no counterpart: let spec.template.spec tolerate and select spot nodes; attempts that lose their node are "
        "repeated"
    ),
}
"""Switches that are off here; their being off is no loss."""
MAX_NODES = 64


def convert_resource(source: Source) -> list[dict[str, Any]]:
    """Convert a resource of ACK or of AWS's operator."""
    root = source.root
    for known in ("apiVersion", "kind"):
        root[known].take()
    root["status"].note("is the state of the live object")
    spec = root["spec"]
    named = spec["HyperParameterTuningJobName"]
    if not named.is_empty():
        named.note(f"is {named.value} with SageMaker; the job is named after metadata.name")
    for aws in ("Region", "SageMakerEndpoint"):
        spec[aws].note("has no counterpart: the job runs in the cluster that it is applied to")
    return _jobs(spec, metadata(root["metadata"], job_name(root["metadata"]["name"])))


def convert_request(source: Source) -> list[dict[str, Any]]:
    """Convert a CreateHyperParameterTuningJob request."""
    return _jobs(source.root, {"name": job_name(source.root["HyperParameterTuningJobName"])})


def _jobs(request: Field, meta: dict[str, Any]) -> list[dict[str, Any]]:
    several = request["TrainingJobDefinitions"].children()
    single = request["TrainingJobDefinition"]
    definitions = several if single.is_empty() else [single]
    if not definitions:
        raise request["TrainingJobDefinition"].error("is missing: it says what a trial runs")
    if len(definitions) > 1:
        request["TrainingJobDefinitions"].mention(
            f"a job has one template, so {len(definitions)} jobs were made, each with all of the limits"
        )
    labels = _labels(request["Tags"])
    if labels:
        meta = {**meta, "labels": {**labels, **meta.get("labels", {})}}
    request["Autotune"].note("has no counterpart: give ranges and limits yourself")
    jobs = [_job(request, definition, meta) for definition in definitions]
    for number, job in enumerate(jobs[1:], start=2):
        job["metadata"] = {**meta, "name": f"{meta['name'][:37]}-{number}"}
    return jobs


def _job(request: Field, definition: Field, meta: dict[str, Any]) -> dict[str, Any]:
    config = request["HyperParameterTuningJobConfig"]
    strategy = config["Strategy"].text("Bayesian")
    if strategy not in STRATEGIES:
        raise config["Strategy"].error(f"must be one of {', '.join(STRATEGIES)}, not {strategy!r}")
    search = Search()
    for ranges in (config["ParameterRanges"], definition["HyperParameterRanges"]):
        _add_ranges(search, ranges)
    for static in definition["StaticHyperParameters"].children():
        # AWS's operator writes a list of names and values, the others a mapping.
        name, value = (static["name"].text(), static["value"]) if static["name"].value else (static.path[-1], static)
        search.static[parameter_name(static, str(name))] = value.text()
    resources = config["ResourceLimits"]
    bounds = limits(
        resources["MaxNumberOfTrainingJobs"],
        resources["MaxParallelTrainingJobs"],
        grid=strategy == "Grid",
        default_parallel=1,
    )
    if not resources["MaxRuntimeInSeconds"].is_empty():
        bounds["maxDuration"] = f"{resources['MaxRuntimeInSeconds'].number(int)}s"
    seed = config["RandomSeed"]
    objective = _objective(config, definition)
    definitions = definition["AlgorithmSpecification"]["MetricDefinitions"]
    return manifest(
        meta,
        search,
        {
            "strategy": strategy,
            "hyperband": _rungs(config["StrategyConfig"]["HyperbandStrategyConfig"], strategy),
            "seed": None if seed.is_empty() else seed.number(int),
            "objective": objective,
            "limits": bounds,
            "completion": _completion(config["TuningJobCompletionCriteria"], strategy),
            "earlyStopping": {"type": config["TrainingJobEarlyStoppingType"].text("Off").capitalize()},
            "warmStart": _warm_start(request["WarmStartConfig"], strategy),
            "nodes": _nodes(definition),
            "retry": _retry(definition["RetryStrategy"]["MaximumRetryAttempts"]),
            "metrics": None if definitions.is_empty() else sagemaker_source(definitions, objective["metric"]),
            "template": _template(definition),
        },
    )


def _objective(config: Field, definition: Field) -> dict[str, Any]:
    objective = config["HyperParameterTuningJobObjective"]
    if not definition["TuningObjective"].is_empty():
        objective.note("gives way to the definition's TuningObjective")
        objective = definition["TuningObjective"]
    result = {"metric": objective["MetricName"].text(), "goal": objective["Type"].text()}
    criteria = config["TuningJobCompletionCriteria"]
    target = criteria["TargetObjectiveMetricValue"]
    if not target.is_empty():
        result["target"] = target.number(float)
    return result


def _completion(criteria: Field, strategy: str) -> dict[str, Any] | None:
    completion: dict[str, Any] = {}
    stalled = criteria["BestObjectiveNotImproving"]["MaxNumberOfTrainingJobsNotImproving"]
    if not stalled.is_empty():
        wanted = stalled.number(int)
        completion["maxTrialsWithoutImprovement"] = max(FEWEST_STALLED, wanted)
        if wanted < FEWEST_STALLED:
            stalled.note(f"was raised to {FEWEST_STALLED}, the fewest that tell anything")
    converged = criteria["ConvergenceDetected"]["CompleteOnConvergence"]
    if converged.text("Disabled") == "Enabled":
        if strategy == "Bayesian":
            completion["onConvergence"] = {}
        else:
            converged.note(f"has no counterpart with strategy {strategy}, which has no model")
    return completion or None


def _warm_start(config: Field, strategy: str) -> dict[str, Any] | None:
    if config.is_empty():
        return None
    kind = config["WarmStartType"].text()
    if strategy != "Bayesian":
        config.note(f"has no counterpart with strategy {strategy}, which does not learn from results")
        return None
    parents = [
        job_name(parent["HyperParameterTuningJobName"])
        for parent in config["ParentHyperParameterTuningJobs"].children()
    ]
    return {"type": kind, "parents": list(dict.fromkeys(parents))}


def _retry(again: Field) -> dict[str, int] | None:
    if again.is_empty():
        return None
    wanted = again.number(int) + 1  # SageMaker does not count the first attempt
    attempts = min(wanted, MAX_ATTEMPTS)
    again.note(
        f"became {attempts} attempts of a training that fails; attempts that the cluster ended are repeated in any case"
    )
    return {"maxAttempts": attempts}


def _rungs(config: Field, strategy: str) -> dict[str, int] | None:
    if strategy != "Hyperband":
        return None
    names = {"minResource": config["MinResource"], "maxResource": config["MaxResource"]}
    return hyperband(config, **{name: place.number(int) for name, place in names.items() if not place.is_empty()})


def _add_ranges(search: Search, ranges: Field) -> None:
    kinds: tuple[tuple[str, type[int | float]], ...] = (("integer", int), ("continuous", float))
    for kind, number in kinds:
        for item in ranges[f"{kind}ParameterRanges"].children():
            search.add_number(
                parameter_name(item["Name"], item["Name"].text()),
                kind,
                item,
                min=item["MinValue"].number(number),
                max=item["MaxValue"].number(number),
                scale=_scale(item["ScalingType"], kind),
            )
    for item in ranges["CategoricalParameterRanges"].children():
        search.add_choice(
            parameter_name(item["Name"], item["Name"].text()), [v.text() for v in item["Values"].children()]
        )
    ranges["AutoParameters"].note("has no counterpart: give these hyperparameters ranges in spec.parameters")


def _scale(place: Field, kind: str) -> str:
    given = place.text("Auto")
    if given not in SCALES:
        raise place.error(f"must be one of {', '.join(SCALES)}, not {given!r}")
    if kind == "integer" and given == "ReverseLogarithmic":
        place.note("is for continuous ranges alone; the scale is Linear")
        return "Linear"
    return SCALES[given]


def _labels(tags: Field) -> dict[str, str]:
    """Tags as labels, where Kubernetes takes them."""
    labels = {}
    for tag in tags.children():
        key, value = tag["Key"].text(), tag["Value"].text("")
        if re.fullmatch(_LABEL, key) and re.fullmatch(_LABEL, value) and key and max(len(key), len(value)) <= 63:  # noqa: PLR2004 - Kubernetes' limit
            labels[key] = value
        else:
            tag.note("cannot be a label of Kubernetes, which has letters, digits, hyphens, underscores and dots")
    return labels


def _template(definition: Field) -> dict[str, Any]:
    algorithm = definition["AlgorithmSpecification"]
    image = algorithm["TrainingImage"]
    note_all(
        [image if not image.is_empty() else algorithm["AlgorithmName"]],
        "an image made for SageMaker looks for hyperparameters and data in /opt/ml; here hyperparameters are in its "
        "environment (HP_<name>, and all in HYPERPARAMETERS), data in the volumes that you mount, and it has to report "
        "each epoch (docs/metrics-contract.md)",
    )
    algorithm["TrainingInputMode"].note("has no counterpart: data is in volumes that you mount")
    container: dict[str, Any] = {"name": "training", "image": image.text(PLACEHOLDER_IMAGE)}
    environment = definition["Environment"].children()
    if environment:
        container["env"] = [{"name": str(item.path[-1]), "value": item.text("")} for item in environment]
    count = _resources(definition)
    if count:
        container["resources"] = {"limits": {"nvidia.com/gpu": count}}
    spec: dict[str, Any] = {"containers": [container]}
    longest = definition["StoppingCondition"]["MaxRuntimeInSeconds"]
    if not longest.is_empty():
        spec["activeDeadlineSeconds"] = longest.number(int)
        longest.note(
            "is activeDeadlineSeconds of the Pod: a trial that takes longer fails, while SageMaker keeps its result"
        )
    for name, words in _NO_COUNTERPART.items():
        definition[name].note(words)
    for name, words in _SWITCHES.items():
        if definition[name].take():
            definition[name].note(words)
    return {"spec": spec}


def _nodes(definition: Field) -> int | None:
    """Nodes of a trial; None for one."""
    nodes = 1
    for name in ("ResourceConfig", "HyperParameterTuningResourceConfig"):
        count = definition[name]["InstanceCount"]
        if not count.is_empty():
            wanted = count.number(int)
            nodes = min(wanted, MAX_NODES)
            if wanted > nodes:
                count.note(f"was lowered from {wanted}, since a trial has at most {MAX_NODES} nodes")
    return nodes if nodes > 1 else None


def _resources(definition: Field) -> int:
    """GPUs of a trial, by the instance type."""
    found = 0
    for name in ("ResourceConfig", "HyperParameterTuningResourceConfig"):
        instance = definition[name]["InstanceType"]
        if not instance.is_empty():
            found = gpus(instance.text())
            wanted = f"asks for {found} GPU" if found else "asks for no GPU"
            instance.note(f"{instance.value}: the container {wanted}; set its requests of cpu and memory yourself")
        definition[name]["VolumeSizeInGB"].note("has no counterpart: request ephemeral-storage, or mount a volume")
    return found
