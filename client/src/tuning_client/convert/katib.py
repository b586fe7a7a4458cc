"""Katib's Experiments (kubeflow.org/v1beta1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_client.convert.collectors import katib_source
from tuning_client.convert.job import (
    MAX_RESOURCE,
    MAX_SEED,
    bounded,
    hyperband,
    limits,
    manifest,
    metadata,
    objective,
    pairs,
)
from tuning_client.convert.source import note_all
from tuning_client.convert.space import add_parameters
from tuning_client.convert.template import trial_workload
from tuning_client.names import parameter_name

if TYPE_CHECKING:
    from tuning_client.convert.search import Search
    from tuning_client.convert.source import Field, Source

MAX_FAILED, MAX_COMPLETED, MAX_FACTOR = 1000, 1000, 10
_STRATEGIES = {"random": "Random", "bayesianoptimization": "Bayesian", "grid": "Grid", "hyperband": "Hyperband"}
_CLOSEST = dict.fromkeys(("tpe", "multivariate-tpe", "cmaes", "pbt"), "Bayesian") | {"sobol": "Random"}
_ARCHITECTURE_SEARCH = ("darts", "enas")
_SEEDS = ("random_state", "random_seed", "seed")
_PARALLEL_TRIALS = 3
"""Katib's default of parallelTrialCount."""


def convert_experiment(source: Source) -> list[dict[str, Any]]:
    """Convert an Experiment."""
    root = source.root
    for known in ("apiVersion", "kind"):
        root[known].take()
    root["status"].note("is the state of the live object")
    spec = root["spec"]
    if not spec["nasConfig"].is_empty():
        raise spec["nasConfig"].error(
            "has no counterpart: there is no architecture search here; remove it to convert the rest"
        )
    algorithm = spec["algorithm"]
    strategy = _strategy(algorithm["algorithmName"])
    settings = _settings(algorithm["algorithmSettings"])
    search, names = add_parameters(spec["parameters"], grid=strategy == "Grid")
    strategy = search.strategy(strategy, algorithm["algorithmName"])
    bounds = _limits(spec, grid=strategy == "Grid")
    rungs = _rungs(algorithm["algorithmSettings"], settings, names, search) if strategy == "Hyperband" else None
    search.require(spec["parameters"])
    seed = next((settings[name] for name in _SEEDS if name in settings), None)
    spec["resumePolicy"].note("has no counterpart: a job's state is in its objects, and its limits can be edited")
    goal = _objective(spec["objective"])
    found, container = trial_workload(spec["trialTemplate"], names)
    _keep_pods(spec["trialTemplate"]["retain"])
    metrics = _metrics(spec, goal["metric"], found.body, container)
    return [
        manifest(
            metadata(root["metadata"]),
            search,
            {
                "strategy": strategy,
                "hyperband": rungs,
                "seed": bounded(seed, 0, MAX_SEED) if seed else None,
                "objective": goal,
                "limits": bounds,
                "earlyStopping": _early_stopping(spec["earlyStopping"], strategy),
                "retry": None if found.attempts is None else {"maxAttempts": found.attempts},
                "nodes": found.nodes if found.nodes > 1 else None,
                "podCleanup": "Keep",
                "metrics": metrics,
                "template": found.body,
            },
        )
    ]


def _strategy(place: Field) -> str:
    given = "random"
    with place.or_left_out("the strategy is Random"):
        given = place.text(given)
    if given in _ARCHITECTURE_SEARCH:
        known = ", ".join(sorted({*_STRATEGIES, *_CLOSEST}))
        raise place.error(f"{given!r} has no counterpart: use one of {known}")
    if given in _STRATEGIES:
        return _STRATEGIES[given]
    closest = _CLOSEST.get(given, "Bayesian")
    place.note(f"{given} has no counterpart; {closest} is the closest")
    return closest


def _settings(place: Field) -> dict[str, Field]:
    return {name: value for name, value in pairs(place) if not value.is_empty()}


def _limits(spec: Field, *, grid: bool) -> dict[str, Any]:
    bounds = limits(spec["maxTrialCount"], spec["parallelTrialCount"], grid=grid, default_parallel=_PARALLEL_TRIALS)
    failed = bounded(spec["maxFailedTrialCount"], 0, MAX_FAILED - 1)
    # Katib fails with more than that many, the operator with that many.
    return bounds if failed is None else {**bounds, "maxFailedTrials": failed + 1}


def _objective(place: Field) -> dict[str, Any]:
    result = objective(place["objectiveMetricName"], place["type"], place["goal"])
    strategies = dict(pairs(place["metricStrategies"]))
    own = strategies.pop(result["metric"], None)
    best = "max" if result["goal"] == "Maximize" else "min"
    strategy = best if own is None else own.take()
    if strategy != "latest":
        result["value"] = "Best"  # which is Katib's default, too
    if own is not None and strategy not in {best, "latest"}:
        own.mention(f"is {strategy!r}, the worst epoch of a trial: objective.value is Best, the opposite")
    note_all([*strategies.values()], "are not needed to tune: of other metrics the last value is recorded")
    return result


def _keep_pods(retain: Field) -> None:
    with retain.or_left_out("Pods are kept: see spec.podCleanup"):
        if not retain.flag():
            retain.mention(
                "Katib deletes the Pods of trials that have ended, unless it is true; here they are kept with their "
                "logs, until the job is deleted: see spec.podCleanup"
            )


def _metrics(spec: Field, metric: str, body: dict[str, Any], container: str) -> dict[str, Any] | None:
    others = spec["objective"]["additionalMetricNames"]
    names = []
    for item in others.children():
        with item.or_left_out("the metric was left out"):
            names.append(item.text())
    metrics = None
    with spec["metricsCollectorSpec"].or_left_out("the collector was left out: see spec.metrics.source"):
        metrics = katib_source(spec["metricsCollectorSpec"], metric, names, body, container)
    if metrics is None:
        others.note("are not needed to tune")
    return metrics


def _rungs(place: Field, settings: dict[str, Field], names: dict[str, str], search: Search) -> dict[str, int]:
    """Katib lets a trial's resource be a parameter; here a trial always has all of it, and is stopped before."""
    highest = bounded(settings["r_l"], 2, MAX_RESOURCE) if "r_l" in settings else None
    rungs = hyperband(place, minResource=1, maxResource=highest)
    factor = bounded(settings["eta"], 2, MAX_FACTOR) if "eta" in settings else None
    if factor is not None:
        rungs["reductionFactor"] = factor
    if "resource_name" in settings:
        resource = settings["resource_name"]
        with resource.or_left_out("no hyperparameter got the resource"):
            name, longest = names.get(resource.text(), parameter_name(resource.text())), rungs["maxResource"]
            search.parameters[:] = [parameter for parameter in search.parameters if parameter["name"] != name]
            search.add_static(name, str(longest), resource)
            resource.note(f"every trial gets {name}={longest}, and is stopped before it has used that up")
    return rungs


def _early_stopping(place: Field, strategy: str) -> dict[str, Any]:
    off = {"type": "Off"}
    if place.is_empty():
        return off
    if strategy == "Hyperband":
        place.note("is Off here: strategy Hyperband stops trials itself")
        return off
    with place.or_left_out("early stopping is Off: see spec.earlyStopping"):
        name = place["algorithmName"].text()
        if name != "medianstop":
            raise place["algorithmName"].error(f"{name!r} has no counterpart: use medianstop, or type Auto here")
        settings, median = _settings(place["algorithmSettings"]), {}
        knobs = {
            "min_trials_required": ("minCompletedTrials", MAX_COMPLETED),
            "start_step": ("minEpochs", MAX_RESOURCE),
        }
        for theirs, (ours, most) in knobs.items():
            value = bounded(settings[theirs], 1, most) if theirs in settings else None
            if value is not None:
                median[ours] = value
        return {"type": "Median", "median": median} if median else {"type": "Median"}
    return off
