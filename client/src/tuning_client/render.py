"""What the arguments of a tuner become in a job's spec: the search space, and where the metrics come from."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tuning_client.estimator import Estimator, training_container
from tuning_client.logs import (
    OUTPUT,
    UNBUFFERED,
    refusal,
    shown_and_kept,
    source,
    with_control_characters,
    with_every_number,
)
from tuning_client.names import parameter_name
from tuning_client.parameters import ParameterRange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LOGGER = logging.getLogger("tuning_client")


def render_space(ranges: Mapping[str, ParameterRange], static: Mapping[str, str]) -> dict[str, Any]:
    """Render `spec.parameters` and `spec.staticParameters`; a range wins over a static value of its name."""
    names: dict[str, str] = {}
    for given in (*ranges, *(name for name in static if name not in ranges)):
        name = parameter_name(given)
        if not name:
            raise ValueError("a hyperparameter's name must have at least one letter")
        if name in names.values():
            raise ValueError(
                f"{given!r} is HP_{name} in the training's environment, as another hyperparameter is: rename it"
            )
        if name != given:
            _LOGGER.warning(
                "%s is called %s here: the training finds it as HP_%s in its environment", given, name, name
            )
        names[given] = name
    return {
        "parameters": [_parameter(given, names[given], range_) for given, range_ in ranges.items()],
        "staticParameters": {names[given]: text for given, text in static.items() if given not in ranges} or None,
    }


def render_settings(settings: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
    """Render `spec.initialTrials`, with the names that the job has; the API server checks names and values."""
    return [
        {"parameters": {parameter_name(given): str(value) for given, value in setting.items()}} for setting in settings
    ]


def from_output(
    definitions: Sequence[Mapping[str, str]], objective: str, template: dict[str, Any]
) -> dict[str, Any] | None:
    """Render `spec.metrics` of SageMaker's metric definitions, and let the training's command keep what it prints.

    Raises:
        ValueError: a regular expression cannot be used, or there is none for the objective.
    """
    if not definitions:
        return None
    found = {}
    for definition in definitions:
        if set(definition) != {"Name", "Regex"}:
            raise ValueError(f"metric_definitions must be [{{'Name': …, 'Regex': …}}], not {definition!r}")
        name, regex = definition["Name"], with_every_number(with_control_characters(definition["Regex"]))
        if reason := refusal(name, regex):
            raise ValueError(f"metric_definitions: the Regex of {name!r} cannot be used: {reason}")
        found[name] = regex
    if objective not in found:
        raise ValueError(
            f"metric_definitions must have one for the objective, {objective!r}, not for {', '.join(found)} alone"
        )
    container = training_container(template)
    if container.get("command"):
        container["command"] = shown_and_kept(container["command"])
        variables = container.setdefault("env", [])
        variables += [UNBUFFERED] if all(item["name"] != UNBUFFERED["name"] for item in variables) else []
    else:
        _LOGGER.warning(
            "the program of %s is not known here: let it write what it prints to %s as well, or give command= to the "
            "Estimator, so that metric_definitions find something",
            container.get("image"),
            OUTPUT,
        )
    return source(OUTPUT, found)


def with_estimator(spec: Mapping[str, Any], estimator: Estimator) -> dict[str, Any]:
    """Return the spec of a job like another one, with another training."""
    template, tuned = estimator.template(), {parameter["name"] for parameter in spec["parameters"]}
    metrics = from_output(estimator.metric_definitions, spec["objective"]["metric"], template)
    given = render_space({}, estimator.hyperparameters())["staticParameters"] or {}
    static = {name: text for name, text in given.items() if name not in tuned}
    kept = {
        name: value for name, value in spec.items() if name not in {"metrics", "nodes", "retry", "staticParameters"}
    }
    own = {**estimator.spec(), "metrics": metrics, "staticParameters": static or None, "template": template}
    others = {name: value for name, value in kept.get("limits", {}).items() if name != "maxTrialDuration"}
    own["limits"] = {**others, **estimator.limits()}
    return kept | {name: value for name, value in own.items() if value is not None}


def plain_numbers(value: Any) -> Any:
    """Return the value with Python's own numbers, lists and mappings, where NumPy's and others are in it."""
    if hasattr(value, "keys"):
        return {str(key): plain_numbers(value[key]) for key in value.keys()}  # noqa: SIM118 - any kind of mapping
    if hasattr(value, "tolist"):
        return plain_numbers(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_numbers(item) for item in value]
    return value


def _parameter(given: str, name: str, range_: ParameterRange) -> dict[str, Any]:
    if not isinstance(range_, ParameterRange):
        raise TypeError(
            f"hyperparameter_ranges[{given!r}] must be a ContinuousParameter, an IntegerParameter, a "
            f"DiscreteParameter or a CategoricalParameter, not {range_!r}"
        )
    try:
        return {"name": name, **range_.render()}
    except ValueError as error:
        raise ValueError(f"hyperparameter_ranges[{given!r}]: {error}") from None
