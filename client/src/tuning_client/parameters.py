"""Ranges and settings, by the names of the SageMaker SDK. What they may be is for the API server to say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SCALES = {"Auto": "Auto", "Linear": "Linear", "Logarithmic": "Log", "ReverseLogarithmic": "ReverseLog"}
"""SageMaker's names of scales, and the operator's."""


@dataclass(frozen=True)
class ContinuousParameter:
    """A real number between two bounds, both included.

    Attributes:
        scaling_type: Auto, Linear, Logarithmic (above 0) or ReverseLogarithmic (in [0, 1)).
    """

    min_value: float
    max_value: float
    scaling_type: str = "Auto"

    def render(self) -> dict[str, Any]:
        """The range as it stands in `spec.parameters`."""
        return {"continuous": _bounds(self, float)}


@dataclass(frozen=True)
class IntegerParameter:
    """A whole number between two bounds, both included.

    Attributes:
        scaling_type: Auto, Linear or Logarithmic (above 0).
        step: only every step-th number is tried, from the lower bound on.
    """

    min_value: int
    max_value: int
    scaling_type: str = "Auto"
    step: int = 1

    def render(self) -> dict[str, Any]:
        """The range as it stands in `spec.parameters`."""
        return {"integer": {**_bounds(self, int), "step": self.step}}


@dataclass(frozen=True, init=False)
class CategoricalParameter:
    """One of several values, in no order; a training gets it as text."""

    values: tuple[str, ...]

    def __init__(self, values: Iterable[object]) -> None:
        object.__setattr__(self, "values", tuple(str(value) for value in values))

    def render(self) -> dict[str, Any]:
        """The range as it stands in `spec.parameters`."""
        return {"categorical": {"values": list(self.values)}}


@dataclass(frozen=True)
class HyperbandStrategyConfig:
    """The settings of strategy Hyperband.

    Attributes:
        max_resource: epochs of a whole training.
        min_resource: epochs after which trials are compared for the first time.
    """

    max_resource: int
    min_resource: int

    def render(self) -> dict[str, Any]:
        """The settings as they stand in `spec.hyperband`."""
        return {"minResource": self.min_resource, "maxResource": self.max_resource}


@dataclass(frozen=True)
class StrategyConfig:
    """The settings of a strategy."""

    hyperband_strategy_config: HyperbandStrategyConfig


@dataclass(frozen=True)
class TuningJobCompletionCriteriaConfig:
    """What ends a job before its limits.

    Attributes:
        max_number_of_training_jobs_not_improving: so many trials in a row without an improvement, at least 3.
        complete_on_convergence: that the model expects no more gain.
        target_objective_metric_value: that a trial has ended with this value.
    """

    max_number_of_training_jobs_not_improving: int | None = None
    complete_on_convergence: bool | None = None
    target_objective_metric_value: float | None = None

    def render(self) -> dict[str, Any]:
        """The criteria as they stand in `spec.completion`; the target stands in `spec.objective`."""
        trials = self.max_number_of_training_jobs_not_improving
        without = {} if trials is None else {"maxTrialsWithoutImprovement": trials}
        return {**without, "onConvergence": {}} if self.complete_on_convergence else without


class WarmStartTypes(StrEnum):
    """How much the trials of parents say about those of a job."""

    IDENTICAL_DATA_AND_ALGORITHM = "IdenticalDataAndAlgorithm"
    TRANSFER_LEARNING = "TransferLearning"


@dataclass(frozen=True)
class WarmStartConfig:
    """The earlier jobs that a job starts from.

    Attributes:
        warm_start_type: how much their trials say about its own.
        parents: their names, one to five, all of which have ended when the job starts.
    """

    warm_start_type: WarmStartTypes | str
    parents: Collection[str]

    def render(self) -> dict[str, Any]:
        """The settings as they stand in `spec.warmStart`."""
        return {"type": str(self.warm_start_type), "parents": sorted(self.parents)}


ParameterRange = ContinuousParameter | IntegerParameter | CategoricalParameter


def _bounds(parameter: ContinuousParameter | IntegerParameter, number: type[float | int]) -> dict[str, Any]:
    if parameter.scaling_type not in SCALES:
        raise ValueError(f"scaling_type must be one of {', '.join(SCALES)}, not {parameter.scaling_type!r}")
    bounds = {"min": parameter.min_value, "max": parameter.max_value}
    for name, value in bounds.items():
        if number(value) != value:
            raise ValueError(
                f"{name}_value of an IntegerParameter must be whole, not {value!r}: use ContinuousParameter"
            )
    return {**{name: number(value) for name, value in bounds.items()}, "scale": SCALES[parameter.scaling_type]}
