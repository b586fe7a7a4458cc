"""The search space of a Katib Experiment."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tuning_client.convert.job import one_of
from tuning_client.convert.search import Search

if TYPE_CHECKING:
    from tuning_client.convert.source import Field

_SCALES = {"uniform": "Linear", "normal": "Linear", "logUniform": "Log", "logNormal": "Log"}
_MOST_STEPS = 1000


def add_parameters(parameters: Field, *, grid: bool) -> tuple[Search, dict[str, str]]:
    """The hyperparameters of an Experiment, and their names here by Katib's."""
    search, names = Search(), {}
    for parameter in parameters.children():
        with parameter.or_left_out("the hyperparameter was left out"):
            given = parameter["name"].text()
            name = search.name(parameter["name"], given)
            _add(search, name, parameter, grid=grid)
            names[given] = name
    search.tell()
    return search, names


def _add(search: Search, name: str, parameter: Field, *, grid: bool) -> None:
    kind, space = parameter["parameterType"].text(), parameter["feasibleSpace"]
    step, scale = space["step"], _scale(space["distribution"])
    if kind == "discrete":
        _add_discrete(search, name, parameter)
    elif kind == "categorical":
        search.add_choice(name, space["list"])
    elif kind == "int":
        bounds = {"min": space["min"].number(int), "max": space["max"].number(int), "scale": scale}
        if not step.is_empty():
            with step.or_left_out("every whole number can be tried"):
                bounds["step"] = step.number(int)
        search.add_number(name, "integer", parameter, **bounds)
    elif kind == "double" and grid and not step.is_empty():
        search.add_texts(name, parameter, _steps(space))
    elif kind == "double":
        step.note("has no counterpart in a continuous range")
        low, high = space["min"].number(float), space["max"].number(float)
        search.add_number(name, "continuous", parameter, min=low, max=high, scale=scale)
    else:
        raise parameter["parameterType"].error(f"must be double, int, discrete or categorical, not {kind!r}")


def _add_discrete(search: Search, name: str, parameter: Field) -> None:
    """Whole numbers at equal distances are a range; the model knows of no other numbers that they are some."""
    values = parameter["feasibleSpace"]["list"]
    try:
        numbers = sorted({int(item.text()) for item in values.children()})
    except ValueError:
        numbers = []
    steps = {after - before for before, after in pairwise(numbers)}
    if len(steps) == 1:
        bounds = {"min": numbers[0], "max": numbers[-1], "scale": "Linear", "step": steps.pop()}
        search.add_number(name, "integer", parameter, **bounds)
        return
    search.add_choice(name, values)
    parameter["parameterType"].note("discrete became categorical: the model does not know that values are numbers")


def _scale(distribution: Field) -> str:
    scale = one_of(distribution, _SCALES, "Linear")
    if not distribution.is_empty() and str(distribution.value).lower().endswith("normal"):
        distribution.note(
            f"{distribution.value} prefers the middle of the range, which has no counterpart; the scale is {scale}"
        )
    return scale


def _steps(space: Field) -> list[str]:
    """The points of a range with a step, written as short as they can be."""
    low, high, step = (space[name].number(float) for name in ("min", "max", "step"))
    if not (high > low and 0 < step <= high - low):
        raise space["step"].error(f"must be above 0 and at most {high - low:g}, not {step:g}")
    count = min(int((high - low) / step * (1 + 1e-9)), _MOST_STEPS) + 1
    return [f"{low + number * step:.12g}" for number in range(count)]
