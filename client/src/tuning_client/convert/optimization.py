"""Kubeflow's OptimizationJobs (trainer.kubeflow.org/v1alpha1), which are to take the place of Katib's Experiments."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tuning_client.convert.job import (
    MAX_SEED,
    bounded,
    kept_metadata,
    limits,
    manifest,
    metadata,
    objective,
    one_of,
)
from tuning_client.convert.search import Search
from tuning_client.convert.source import note_all
from tuning_client.convert.template import fitted
from tuning_client.convert.workload import train_job

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tuning_client.convert.source import Field, Source
    from tuning_client.convert.workload import Workload

_KINDS = {"Float": "continuous", "Int": "integer"}
_SCALES = {"uniform": "Linear", "logUniform": "Log"}
_VARIABLE = "KUBEFLOW_TRAINER_OPT_"


def convert_optimization(source: Source) -> list[dict[str, Any]]:
    """Convert an OptimizationJob."""
    root = source.root
    for known in ("apiVersion", "kind"):
        root[known].take()
    root["status"].note("is the state of the live object")
    spec = root["spec"]
    goal = _objective(spec["objectives"])
    search, names = _search(spec["parameters"])
    algorithm = spec["searchAlgorithm"]
    is_grid = isinstance(algorithm.value, dict) and algorithm["grid"].value is not None
    algorithm["grid" if is_grid else "random"].take()
    strategy = search.strategy("Grid" if is_grid else "Random", algorithm)
    search.require(spec["parameters"])
    found = _trainings(spec["trainJobTemplate"], names.items())
    return [
        manifest(
            metadata(root["metadata"]),
            search,
            {
                "strategy": strategy,
                "seed": bounded(algorithm["random"]["seed"], 0, MAX_SEED),
                "objective": goal,
                "limits": _limits(spec, grid=strategy == "Grid"),
                "earlyStopping": {"type": "Off"},
                "nodes": found.nodes if found.nodes > 1 else None,
                "template": found.body,
            },
        )
    ]


def _objective(place: Field) -> dict[str, Any]:
    if place.is_empty():
        raise place.error("is missing: it says which metric counts")
    first, *others = place.children() or [place]
    note_all(others, "has no counterpart: a job has one objective")
    direction = first["direction"]
    if direction.is_empty():
        direction.mention("is not set: it is Minimize, as with Kubeflow")
        direction = replace(direction, value="Minimize")
    place.mention(
        "the training pushes its values to Kubeflow's status server, which is not here: let it report each epoch by "
        "tuning_trainer, for which most frameworks need no change (docs/frameworks.md)"
    )
    return objective(first["metric"], direction, first["goal"])


def _search(parameters: Field) -> tuple[Search, dict[str, str]]:
    """The hyperparameters, and their names here by Kubeflow's."""
    search, names = Search(), {}
    for parameter in parameters.children():
        with parameter.or_left_out("the hyperparameter was left out"):
            given = parameter["name"].text()
            name = search.name(parameter["name"], given)
            _add(search, name, parameter, parameter["searchSpace"])
            names[given] = name
    search.tell()
    return search, names


def _add(search: Search, name: str, parameter: Field, space: Field) -> None:
    if not space["categorical"].is_empty():
        search.add_choice(name, space["categorical"]["choices"])
        return
    for distribution, scale in _SCALES.items():
        bounds = space[distribution]
        if not bounds.is_empty():
            kind = one_of(bounds["type"], _KINDS, "continuous")
            number = int if kind == "integer" else float
            low, high = (bounds[end].number(number) for end in ("min", "max"))
            search.add_number(name, kind, parameter, min=low, max=high, scale=scale)
            return
    raise space.error("must have uniform, logUniform or categorical")


def _limits(spec: Field, *, grid: bool) -> dict[str, Any]:
    bounds = limits(spec["numTrials"], spec["parallelTrials"], grid=grid, default_parallel=1)
    if spec["numTrials"].is_empty() and not grid:
        spec["numTrials"].mention("is not set: Kubeflow then runs one trial")
    return bounds


def _trainings(template: Field, names: Iterable[tuple[str, str]]) -> Workload:
    """What a trial runs; it finds its hyperparameters under Kubeflow's names as well."""
    found = train_job(template["spec"])
    own = kept_metadata(template["metadata"])
    if own:
        found.body = {"metadata": own, **found.body}
    found.variables += [{"name": f"{_VARIABLE}{given.upper()}", "value": f"$(HP_{name})"} for given, name in names]
    fitted(found, {})
    return found
