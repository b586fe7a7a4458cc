"""Ranges and settings, by the names of the SageMaker SDK. What they may be is for the API server to say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, SupportsFloat, SupportsIndex

from tuning_client.kinds import check

Real = SupportsFloat | str
Whole = SupportsIndex | str
"""Numbers of Python's or NumPy's, or texts that are numbers, as SageMaker's SDK takes them."""

SCALES = {"Auto": "Auto", "Linear": "Linear", "Logarithmic": "Log", "ReverseLogarithmic": "ReverseLog"}
"""SageMaker's names of scales, and the operator's."""

AUTO_LOG_RATIO = 100
"""Scale Auto is logarithmic for a positive range whose upper bound is at least this many times its lower one."""


def bounds_of(parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the bounds and the scale of a parameter of a job that is a number."""
    if "discrete" not in parameter:
        return dict(parameter.get("integer") or parameter["continuous"])
    values = parameter["discrete"]["values"]
    return {**parameter["discrete"], "min": values[0], "max": values[-1]}


def is_logarithmic(bounds: Mapping[str, Any]) -> bool:
    """Whether the operator searches a numerical range of a job on a logarithmic scale."""
    scale = bounds.get("scale", "Auto")
    return bool(scale == "Log" or (scale == "Auto" and 0 < bounds["min"] * AUTO_LOG_RATIO <= bounds["max"]))


@dataclass(frozen=True)
class ContinuousParameter:
    """A real number between two bounds, both included.

    Attributes:
        scaling_type: Auto, Linear, Logarithmic (above 0) or ReverseLogarithmic (in [0, 1)).
        step: only every step-th number is tried, from the lower bound on; on a linear scale.
    """

    min_value: Real
    max_value: Real
    scaling_type: str = "Auto"
    step: Real | None = None

    def render(self) -> dict[str, Any]:
        """Return the range as in `spec.parameters`."""
        low, high = (
            real(getattr(self, name), f"{name} of a ContinuousParameter") for name in ("min_value", "max_value")
        )
        step = {} if self.step is None else {"step": real(self.step, "step of a ContinuousParameter")}
        return {"continuous": {"min": low, "max": high, "scale": _scale(self.scaling_type), **step}}


@dataclass(frozen=True, init=False)
class DiscreteParameter:
    """One of several numbers, which the search knows to be numbers: 0.3 lies between 0.1 and 1.

    Attributes:
        values: the numbers; they are sorted.
        scaling_type: Auto, Linear, Logarithmic (above 0) or ReverseLogarithmic (in [0, 1)).
    """

    values: tuple[float, ...]
    scaling_type: str

    def __init__(self, values: Iterable[Real], scaling_type: str = "Auto") -> None:
        numbers = {real(value, "a value of a DiscreteParameter") for value in several(values, "values")}
        object.__setattr__(self, "values", tuple(sorted(numbers)))
        object.__setattr__(self, "scaling_type", scaling_type)

    @property
    def is_whole(self) -> bool:
        """Whether all of them are whole; a training gets them as whole numbers then."""
        return all(value.is_integer() for value in self.values)

    def render(self) -> dict[str, Any]:
        """Return the numbers as in `spec.parameters`."""
        return {"discrete": {"values": [_plain(value) for value in self.values], "scale": _scale(self.scaling_type)}}


@dataclass(frozen=True)
class IntegerParameter:
    """A whole number between two bounds, both included.

    Attributes:
        scaling_type: Auto, Linear or Logarithmic (above 0).
        step: only every step-th number is tried, from the lower bound on.
    """

    min_value: Whole
    max_value: Whole
    scaling_type: str = "Auto"
    step: Whole = 1

    def render(self) -> dict[str, Any]:
        """Return the range as in `spec.parameters`."""
        named = {"min": "min_value", "max": "max_value", "step": "step"}
        bounds = {
            ours: whole(getattr(self, name), f"{name} of an IntegerParameter", "; ContinuousParameter takes others")
            for ours, name in named.items()
        }
        return {"integer": {**bounds, "scale": _scale(self.scaling_type)}}


@dataclass(frozen=True, init=False)
class CategoricalParameter:
    """One of several values, in no order; a training gets it as text. A single value stands for itself."""

    values: tuple[str, ...]
    given: tuple[object, ...] = field(repr=False, compare=False)

    def __init__(self, values: Iterable[object] | object) -> None:
        given = tuple(several(values, "values"))
        object.__setattr__(self, "given", given)
        object.__setattr__(self, "values", tuple(str(value) for value in given))

    def render(self) -> dict[str, Any]:
        """Return the range as in `spec.parameters`."""
        return {"categorical": {"values": list(self.values)}}


@dataclass(frozen=True)
class HyperbandStrategyConfig:
    """The settings of strategy Hyperband.

    Attributes:
        max_resource: epochs of a whole training.
        min_resource: epochs after which trials are compared for the first time.
    """

    max_resource: Whole
    min_resource: Whole

    def render(self) -> dict[str, Any]:
        """Return the settings as in `spec.hyperband`."""
        named = {"minResource": "min_resource", "maxResource": "max_resource"}
        return {ours: whole(getattr(self, name), f"{name} of HyperbandStrategyConfig") for ours, name in named.items()}


@dataclass(frozen=True)
class StrategyConfig:
    """The settings of a strategy."""

    hyperband_strategy_config: HyperbandStrategyConfig

    def __post_init__(self) -> None:
        kind = {"hyperband_strategy_config": HyperbandStrategyConfig}
        check("StrategyConfig", kind, vars(self), *kind)


@dataclass(frozen=True)
class TuningJobCompletionCriteriaConfig:
    """What ends a job before its limits.

    Attributes:
        max_number_of_training_jobs_not_improving: consecutive trials without an improvement, at least 3.
        complete_on_convergence: that the model expects no more gain.
        target_objective_metric_value: that a trial has ended with this value.
    """

    max_number_of_training_jobs_not_improving: Whole | None = None
    complete_on_convergence: bool | None = None
    target_objective_metric_value: Real | None = None

    def render(self) -> dict[str, Any]:
        """Return the criteria as in `spec.completion`; the target is in `spec.objective`."""
        name = "max_number_of_training_jobs_not_improving"
        trials = getattr(self, name)
        without = {} if trials is None else {"maxTrialsWithoutImprovement": whole(trials, name)}
        return {**without, "onConvergence": {}} if self._converges() else without

    def _converges(self) -> bool:
        given = self.complete_on_convergence
        if isinstance(given, str) or getattr(given, "shape", ()) != () or given not in (None, True, False):
            raise TypeError(f"complete_on_convergence must be True or False, not {given!r}")
        return bool(given)

    def target(self) -> float | None:
        """Return the target as in `spec.objective`."""
        name = "target_objective_metric_value"
        return None if self.target_objective_metric_value is None else real(self.target_objective_metric_value, name)


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
    parents: Iterable[str] | str

    def render(self) -> dict[str, Any]:
        """Return the settings as in `spec.warmStart`."""
        parents = sorted({str(name) for name in several(self.parents, "parents of WarmStartConfig")})
        return {"type": str(self.warm_start_type), "parents": parents}


ParameterRange = ContinuousParameter | IntegerParameter | DiscreteParameter | CategoricalParameter


def several(given: Iterable[object] | object, what: str) -> list[object]:
    """Return the items of a list or anything like it; a text or a number is one item, as with SageMaker."""
    if isinstance(given, Mapping):
        raise TypeError(f"{what} must be a list, not {given!r}")
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        return [given]
    try:
        return list(given)
    except TypeError:  # an array of NumPy without a dimension
        return [given]


def whole(value: Any, what: str, remedy: str = "") -> int:
    """Return a whole number, even if it is one of NumPy's or written as text."""
    number = real(value, what)
    if number != int(number):
        raise ValueError(f"{what} must be whole, not {value!r}{remedy}")
    return int(value) if not isinstance(value, str) else int(number)


def real(value: Any, what: str) -> float:
    """Return a number, even if it is one of NumPy's or written as text."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{what} must be a finite number, not {value!r}")
    return number


def _plain(number: float) -> float:
    """The number as an integer where it is whole, as people write it."""
    return int(number) if number.is_integer() else number


def _scale(scaling_type: str) -> str:
    if not isinstance(scaling_type, str) or scaling_type not in SCALES:
        raise ValueError(f"scaling_type must be one of {', '.join(SCALES)}, not {scaling_type!r}")
    return SCALES[scaling_type]
