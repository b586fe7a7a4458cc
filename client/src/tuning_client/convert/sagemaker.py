"""SageMaker's tuning jobs: its API's request, and the resources of ACK and of AWS's old operator, which repeat it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_client.convert.collectors import sagemaker_source
from tuning_client.convert.job import (
    LABELS,
    LEFT_OUT,
    MAX_ATTEMPTS,
    MAX_RESOURCE,
    MAX_SECONDS,
    MAX_SEED,
    bounded,
    hyperband,
    job_name,
    limits,
    manifest,
    metadata,
    objective,
    one_of,
    pairs,
)
from tuning_client.convert.search import Search
from tuning_client.convert.training import nodes, template
from tuning_client.names import MAX_JOB_NAME, is_label
from tuning_client.parameters import SCALES

if TYPE_CHECKING:
    from tuning_client.convert.source import Field, Source

FEWEST_STALLED, MOST_STALLED, MAX_PARENTS = 3, 1000, 5
STRATEGIES = {name: name for name in ("Bayesian", "Random", "Grid", "Hyperband")}
_SWITCH = {"Off": "Off", "Auto": "Auto"}
_WARM_STARTS = {name: name for name in ("IdenticalDataAndAlgorithm", "TransferLearning")}


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
    return _jobs(spec, metadata(root["metadata"]))


def convert_request(source: Source) -> list[dict[str, Any]]:
    """Convert a CreateHyperParameterTuningJob request."""
    return _jobs(source.root, {"name": job_name(source.root["HyperParameterTuningJobName"])})


def _jobs(request: Field, meta: dict[str, Any]) -> list[dict[str, Any]]:
    several = request["TrainingJobDefinitions"].children()
    single = request["TrainingJobDefinition"]
    definitions = several if single.is_empty() else [single]
    if not definitions:
        raise request["TrainingJobDefinition"].error("is missing: it says what a trial runs")
    labels = _labels(request["Tags"])
    if labels:
        meta = {**meta, "labels": {**labels, **meta.get("labels", {})}}
    request["Autotune"].note("has no counterpart: give ranges and limits yourself")
    jobs: list[dict[str, Any]] = []
    for definition in definitions:
        name = f"{meta['name'][: MAX_JOB_NAME - 3]}-{len(jobs) + 1}" if jobs else meta["name"]
        if len(definitions) == 1:
            jobs.append(_job(request, definition, meta))
        else:
            # A definition that cannot be used does not cost the others.
            with definition.or_left_out("no job was made of this definition"):
                jobs.append(_job(request, definition, {**meta, "name": name}))
    if len(definitions) > 1:
        request["TrainingJobDefinitions"].mention(
            f"a job has one template, so {len(jobs)} jobs were made, each with all of the limits"
        )
    if not jobs:
        raise request["TrainingJobDefinitions"].error("has none that can be converted")
    return jobs


def _job(request: Field, definition: Field, meta: dict[str, Any]) -> dict[str, Any]:
    config = request["HyperParameterTuningJobConfig"]
    search = _search(config, definition)
    strategy = search.strategy(one_of(config["Strategy"], STRATEGIES, "Bayesian"), config["Strategy"])
    resources = config["ResourceLimits"]
    bounds = limits(
        resources["MaxNumberOfTrainingJobs"],
        resources["MaxParallelTrainingJobs"],
        grid=strategy == "Grid",
        default_parallel=1,
    )
    longest = bounded(resources["MaxRuntimeInSeconds"], 1, MAX_SECONDS)
    if longest is not None:
        bounds["maxDuration"] = f"{longest}s"
    longest_trial = bounded(definition["StoppingCondition"]["MaxRuntimeInSeconds"], 1, MAX_SECONDS)
    if longest_trial is not None:
        bounds["maxTrialDuration"] = f"{longest_trial}s"
    goal = _objective(config, definition)
    definitions = definition["AlgorithmSpecification"]["MetricDefinitions"]
    return manifest(
        meta,
        search,
        {
            "strategy": strategy,
            "hyperband": _rungs(config["StrategyConfig"]["HyperbandStrategyConfig"], strategy),
            "seed": bounded(config["RandomSeed"], 0, MAX_SEED),
            "objective": goal,
            "limits": bounds,
            "completion": _completion(config["TuningJobCompletionCriteria"], strategy),
            "earlyStopping": _early_stopping(config["TrainingJobEarlyStoppingType"], strategy),
            "warmStart": _warm_start(request["WarmStartConfig"], strategy, meta["name"]),
            "nodes": nodes(definition),
            "retry": _retry(definition["RetryStrategy"]["MaximumRetryAttempts"]),
            "metrics": None if definitions.is_empty() else sagemaker_source(definitions, goal["metric"]),
            "template": template(definition),
        },
    )


def _search(config: Field, definition: Field) -> Search:
    search = Search()
    for ranges in (config["ParameterRanges"], definition["HyperParameterRanges"]):
        _add_ranges(search, ranges)
    search.require(config["ParameterRanges"])
    own = []
    for given, value in pairs(definition["StaticHyperParameters"]):
        with value.or_left_out(LEFT_OUT):
            name = search.name(value, given)
            search.add_static(name, search.text(value), value)
            own += [given] if given.startswith("sagemaker_") else []
    if own:
        definition["StaticHyperParameters"].mention(
            f"{', '.join(own)} {'is' if len(own) == 1 else 'are'} read by SageMaker's own containers: here the "
            "container's command and args say which program runs"
        )
    search.tell()
    return search


def _objective(config: Field, definition: Field) -> dict[str, Any]:
    given = config["HyperParameterTuningJobObjective"]
    if not definition["TuningObjective"].is_empty():
        given.note("is overridden by the definition's TuningObjective")
        given = definition["TuningObjective"]
    target = config["TuningJobCompletionCriteria"]["TargetObjectiveMetricValue"]
    return objective(given["MetricName"], given["Type"], target)


def _completion(criteria: Field, strategy: str) -> dict[str, Any] | None:
    completion: dict[str, Any] = {}
    stalled = criteria["BestObjectiveNotImproving"]["MaxNumberOfTrainingJobsNotImproving"]
    wanted = bounded(stalled, FEWEST_STALLED, MOST_STALLED)
    if wanted is not None:
        completion["maxTrialsWithoutImprovement"] = wanted
    converged = criteria["ConvergenceDetected"]["CompleteOnConvergence"]
    if one_of(converged, {"Disabled": "Disabled", "Enabled": "Enabled"}, "Disabled") == "Enabled":
        if strategy == "Bayesian":
            completion["onConvergence"] = {}
        else:
            converged.note(f"has no counterpart with strategy {strategy}, which has no model")
    return completion or None


def _early_stopping(place: Field, strategy: str) -> dict[str, str]:
    kind = one_of(place, _SWITCH, "Off")
    if kind != "Off" and strategy == "Hyperband":
        place.note("is Off here: strategy Hyperband stops trials itself")
        return {"type": "Off"}
    return {"type": kind}


def _warm_start(config: Field, strategy: str, own: str) -> dict[str, Any] | None:
    if config.is_empty():
        return None
    if strategy != "Bayesian":
        config.note(f"has no counterpart with strategy {strategy}, which does not learn from results")
        return None
    with config.or_left_out("the job has no warm start"):
        kind = config["WarmStartType"].text()
        if kind not in _WARM_STARTS:
            raise config["WarmStartType"].error(f"must be one of {', '.join(_WARM_STARTS)}, not {kind!r}")
        place = config["ParentHyperParameterTuningJobs"]
        parents = []
        for parent in place.children():
            named = parent["HyperParameterTuningJobName"]
            with parent.or_left_out("the parent was left out"):
                named.text()
                name = job_name(named)
                if name == own:
                    raise named.error("would be the job itself: rename one of the two")
                parents.append(name)
        names = list(dict.fromkeys(parents))
        if not names:
            raise place.error("names no job to learn from")
        if len(names) > MAX_PARENTS:
            place.mention(f"has {len(names)} jobs, of which the first {MAX_PARENTS} were kept")
        return {"type": kind, "parents": names[:MAX_PARENTS]}
    return None


def _retry(again: Field) -> dict[str, int] | None:
    wanted = bounded(again, 0, MAX_ATTEMPTS - 1)
    if wanted is None:
        return None
    attempts = wanted + 1  # SageMaker does not count the first attempt
    again.note(
        f"became {attempts} attempts of a training that fails; attempts that the cluster ended are always repeated"
    )
    return {"maxAttempts": attempts}


def _rungs(config: Field, strategy: str) -> dict[str, int] | None:
    if strategy != "Hyperband":
        return None
    low, high = bounded(config["MinResource"], 1, MAX_RESOURCE), bounded(config["MaxResource"], 2, MAX_RESOURCE)
    return hyperband(config, minResource=low, maxResource=high)


def _add_ranges(search: Search, ranges: Field) -> None:
    kinds: tuple[tuple[str, type[int | float]], ...] = (("integer", int), ("continuous", float))
    for kind, number in kinds:
        for item in ranges[f"{kind}ParameterRanges"].children():
            with item.or_left_out(f"the hyperparameter {LEFT_OUT[3:]}"):
                search.add_number(
                    search.name(item["Name"], item["Name"].text()),
                    kind,
                    item,
                    min=item["MinValue"].number(number),
                    max=item["MaxValue"].number(number),
                    scale=_scale(item["ScalingType"], kind),
                )
    for item in ranges["CategoricalParameterRanges"].children():
        with item.or_left_out(f"the hyperparameter {LEFT_OUT[3:]}"):
            search.add_choice(search.name(item["Name"], item["Name"].text()), item["Values"])
    ranges["AutoParameters"].note("has no counterpart: give these hyperparameters ranges in spec.parameters")


def _scale(place: Field, kind: str) -> str:
    given = one_of(place, SCALES, "Auto")
    if kind == "integer" and given == "ReverseLog":
        place.note("is for continuous ranges alone; the scale is Linear")
        return "Linear"
    return given


def _labels(tags: Field) -> dict[str, str]:
    """Tags as labels, where Kubernetes takes them."""
    labels = {}
    for key, value in pairs(tags):
        with value.or_left_out("the tag was left out"):
            text = "" if value.value in (None, "") else value.text()
            value.take()
            if not is_label(key, text):
                raise value.error(f"cannot be a label with key {key!r}: {LABELS}")
            labels[key] = text
    return labels
