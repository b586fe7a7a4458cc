"""Search spaces of recorded runs, whose hyperparameters are kept as numbers: a category by its place in the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import kstest

from tuning_operator.api.job import parse_job
from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Scale, Space

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from tuning_operator.core.space import Parameter, Value

    Array = npt.NDArray[np.float64]


def space_of(parameters: Sequence[Mapping[str, Any]]) -> Space:
    """The space that a job's `spec.parameters` describe."""
    spec = {
        "objective": {"metric": "any", "goal": "Maximize"},
        "parameters": parameters,
        "limits": {"maxTrials": 1},
        "template": {},
    }
    return parse_job({"metadata": {"name": "any", "namespace": "any", "uid": "any"}, "spec": spec}).job.spec.space


def space_around(names: Sequence[str], runs: Array) -> Space:
    """The space that runs seem to be drawn from: their bounds, and the scales on which they lie most evenly.

    Args:
        names: Of the hyperparameters.
        runs: Runs x hyperparameters; those that never vary are not part of the space.
    """
    columns = zip(names, runs.T, strict=True)
    return Space(tuple(_parameter(name, column) for name, column in columns if np.ptp(column) > 0))


def _parameter(name: str, column: Array) -> Parameter:
    low, high = float(column.min()), float(column.max())
    if (column == np.rint(column)).all():
        return Integer(name, int(low), int(high))
    scales = [Scale.LINEAR]
    if low > 0:
        scales.append(Scale.LOG)
    if low >= 0 and high < 1:
        scales.append(Scale.REVERSE_LOG)
    kinds = [Continuous(name, low, high, scale) for scale in scales]
    return min(kinds, key=lambda kind: kstest(kind.to_unit(column.tolist()), "uniform").statistic)


def numbers(space: Space, point: Mapping[str, Value]) -> list[float]:
    """Write a point down as numbers."""
    return [
        float(parameter.values.index(str(value)) if isinstance(parameter, Categorical) else value)
        for parameter, value in ((parameter, point[parameter.name]) for parameter in space.parameters)
    ]


def points(space: Space, names: Sequence[str], runs: Array) -> list[dict[str, Value]]:
    """Read recorded runs, runs x hyperparameters, as points of their space."""
    places = {name: place for place, name in enumerate(names)}
    return [
        {parameter.name: _value(parameter, float(run[places[parameter.name]])) for parameter in space.parameters}
        for run in runs
    ]


def _value(parameter: Parameter, number: float) -> Value:
    match parameter:
        case Categorical():
            return parameter.values[int(number)]
        case Integer():
            return int(number)
        case Continuous() | Discrete():
            return number
