"""The search space of a Katib Experiment."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from tuning_client.convert.job import one_of
from tuning_client.convert.search import Search

if TYPE_CHECKING:
    from tuning_client.convert.source import Field

_SCALES = {"uniform": "Linear", "normal": "Linear", "logUniform": "Log", "logNormal": "Log"}


def add_parameters(parameters: Field, *, grid: bool) -> tuple[Search, dict[str, str]]:
    """Return the hyperparameters of an Experiment, and their names here by Katib's."""
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
    elif kind == "double":
        bounds = {"min": space["min"].number(float), "max": space["max"].number(float), "scale": scale}
        if not step.is_empty() and not grid and scale != "Linear":
            step.note("needs a linear scale and was left out: any number in the range can be tried")
        elif not step.is_empty():
            with step.or_left_out("every number can be tried"):
                bounds |= {"step": step.number(float), "scale": "Linear"}
        search.add_number(name, "continuous", parameter, **bounds)
    else:
        raise parameter["parameterType"].error(f"must be double, int, discrete or categorical, not {kind!r}")


def _add_discrete(search: Search, name: str, parameter: Field) -> None:
    """Whole numbers at equal distances are a range; what is not a number is a choice."""
    values, scale = parameter["feasibleSpace"]["list"], _scale(parameter["feasibleSpace"]["distribution"])
    try:
        numbers = sorted({float(item.text()) for item in values.children()})
    except ValueError:
        numbers = []
    if not numbers or not all(map(math.isfinite, numbers)):
        search.add_choice(name, values)
        parameter["parameterType"].note("discrete became categorical: its values are not numbers")
        return
    whole = all(number.is_integer() for number in numbers)
    steps = {int(after - before) for before, after in pairwise(numbers)}
    if whole and len(steps) == 1:
        bounds = {"min": int(numbers[0]), "max": int(numbers[-1]), "scale": scale, "step": steps.pop()}
        search.add_number(name, "integer", parameter, **bounds)
        return
    search.add_numbers(name, values, [int(number) for number in numbers] if whole else numbers, scale)


def _scale(distribution: Field) -> str:
    scale = one_of(distribution, _SCALES, "Linear")
    if not distribution.is_empty() and str(distribution.value).lower().endswith("normal"):
        distribution.note(
            f"{distribution.value} prefers the middle of the range, which has no counterpart; the scale is {scale}"
        )
    return scale
