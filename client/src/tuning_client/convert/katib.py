"""Katib's Experiments (kubeflow.org/v1beta1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuning_client.convert.collectors import katib_source
from tuning_client.convert.job import Search, hyperband, job_name, limits, manifest, metadata, parameter_name
from tuning_client.convert.source import note_all
from tuning_client.convert.template import pod_template, training_container

if TYPE_CHECKING:
    from tuning_client.convert.source import Field, Source

_STRATEGIES = {"random": "Random", "bayesianoptimization": "Bayesian", "grid": "Grid", "hyperband": "Hyperband"}
_CLOSEST = dict.fromkeys(("tpe", "multivariate-tpe", "cmaes", "pbt"), "Bayesian") | {"sobol": "Random"}
_SEEDS = ("random_state", "random_seed", "seed")
_SCALES = {"uniform": "Linear", "normal": "Linear", "logUniform": "Log", "logNormal": "Log"}
_CLEANUP = {True: "Keep", False: "Delete"}
"""By whether Katib retains what it has created for a trial; by default it does not."""
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
    settings = {item["name"].text(): item["value"] for item in algorithm["algorithmSettings"].children()}
    search, names = Search(), {}
    for parameter in spec["parameters"].children():
        name = parameter_name(parameter["name"], parameter["name"].text())
        names[parameter["name"].text()] = name
        _add(search, name, parameter, grid=strategy == "Grid")
    bounds = limits(
        spec["maxTrialCount"],
        spec["parallelTrialCount"],
        grid=strategy == "Grid",
        default_parallel=_PARALLEL_TRIALS,
    )
    failed = spec["maxFailedTrialCount"]
    if not failed.is_empty():
        # Katib fails with more than that many, the operator with that many.
        bounds["maxFailedTrials"] = failed.number(int) + 1
    rungs = _rungs(algorithm["algorithmSettings"], settings, names, search) if strategy == "Hyperband" else None
    seed = next((settings[name] for name in _SEEDS if name in settings), None)
    spec["resumePolicy"].note("has no counterpart: a job's state is in its objects, and its limits can be edited")
    objective = _objective(spec["objective"])
    others = [item.text() for item in spec["objective"]["additionalMetricNames"].children()]
    template = pod_template(spec["trialTemplate"], names)
    metrics = katib_source(spec["metricsCollectorSpec"], objective["metric"], others, training_container(template))
    if metrics is None:
        spec["objective"]["additionalMetricNames"].note("are not needed to tune")
    return [
        manifest(
            metadata(root["metadata"], job_name(root["metadata"]["name"])),
            search,
            {
                "strategy": strategy,
                "hyperband": rungs,
                "seed": seed.number(int) if seed else None,
                "objective": objective,
                "limits": bounds,
                "earlyStopping": _early_stopping(spec["earlyStopping"]),
                "podCleanup": _CLEANUP[bool(spec["trialTemplate"]["retain"].take())],
                "metrics": metrics,
                "template": template,
            },
        )
    ]


def _strategy(place: Field) -> str:
    given = place.text("random")
    if given in _STRATEGIES:
        return _STRATEGIES[given]
    if given in _CLOSEST:
        place.note(f"{given} has no counterpart; {_CLOSEST[given]} is the closest")
        return _CLOSEST[given]
    known = ", ".join(sorted({*_STRATEGIES, *_CLOSEST}))
    raise place.error(f"{given!r} has no counterpart: use one of {known}")


def _objective(objective: Field) -> dict[str, Any]:
    result: dict[str, Any] = {
        "metric": objective["objectiveMetricName"].text(),
        "goal": objective["type"].text().capitalize(),
    }
    if not objective["goal"].is_empty():
        result["target"] = objective["goal"].number(float)
    strategies = {item["name"].text(): item for item in objective["metricStrategies"].children()}
    own = strategies.pop(result["metric"], None)
    if own is None or own["value"].text() != "latest":
        (own["value"] if own else objective["metricStrategies"]).mention(
            "the objective of a trial is the metric's last value; Katib's, unless it is told otherwise, the best one"
        )
    note_all([*strategies.values()], "are not needed to tune: of other metrics the last value is recorded")
    return result


def _add(search: Search, name: str, parameter: Field, *, grid: bool) -> None:
    kind, space = parameter["parameterType"].text(), parameter["feasibleSpace"]
    step, distribution = space["step"], space["distribution"]
    if kind in {"categorical", "discrete"}:
        search.add_choice(name, [value.text() for value in space["list"].children()])
        if kind == "discrete":
            parameter["parameterType"].note(
                "discrete became categorical: the model does not know that values are numbers"
            )
    elif kind == "int":
        bounds = {"min": space["min"].number(int), "max": space["max"].number(int), "scale": _scale(distribution)}
        if not step.is_empty():
            bounds["step"] = step.number(int)
        search.add_number(name, "integer", parameter, **bounds)
    elif kind == "double" and grid and not step.is_empty():
        search.add_choice(name, _steps(space))
    elif kind == "double":
        step.note("has no counterpart in a continuous range")
        low, high = space["min"].number(float), space["max"].number(float)
        search.add_number(name, "continuous", parameter, min=low, max=high, scale=_scale(distribution))
    else:
        raise parameter["parameterType"].error(f"must be double, int, discrete or categorical, not {kind!r}")


def _scale(distribution: Field) -> str:
    given = distribution.text("uniform")
    if given not in _SCALES:
        raise distribution.error(f"must be one of {', '.join(_SCALES)}, not {given!r}")
    if given in {"normal", "logNormal"}:
        distribution.note(
            f"{given} prefers the middle of the range, which has no counterpart; the scale is {_SCALES[given]}"
        )
    return _SCALES[given]


def _steps(space: Field) -> list[str]:
    """The points of a range with a step, written as short as they can be."""
    low, high, step = (space[name].number(float) for name in ("min", "max", "step"))
    count = int((high - low) / step * (1 + 1e-9)) + 1
    return [f"{low + number * step:.12g}" for number in range(count)]


def _rungs(place: Field, settings: dict[str, Field], names: dict[str, str], search: Search) -> dict[str, int]:
    """Katib lets a trial's resource be a parameter; here a trial always has all of it, and is stopped before."""
    ours = {"maxResource": "r_l", "reductionFactor": "eta"}
    given = {name: settings[theirs].number(int) for name, theirs in ours.items() if theirs in settings}
    rungs = hyperband(place, minResource=1, **given)
    if "resource_name" in settings:
        resource = settings["resource_name"]
        name, longest = names.get(resource.text(), resource.text()), rungs["maxResource"]
        search.parameters[:] = [parameter for parameter in search.parameters if parameter["name"] != name]
        search.static[name] = str(longest)
        resource.note(f"every trial gets {name}={longest}, and is stopped before it has used that up")
    return rungs


def _early_stopping(place: Field) -> dict[str, Any]:
    if place.is_empty():
        return {"type": "Off"}
    name = place["algorithmName"]
    if name.text() != "medianstop":
        raise name.error(f"{name.value!r} has no counterpart: use medianstop, or leave earlyStopping out")
    settings = {item["name"].text(): item["value"] for item in place["algorithmSettings"].children()}
    knobs = {"min_trials_required": "minCompletedTrials", "start_step": "minEpochs"}
    median = {ours: max(1, settings[theirs].number(int)) for theirs, ours in knobs.items() if theirs in settings}
    return {"type": "Median", "median": median}
