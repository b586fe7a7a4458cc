"""`spec.parameters`: the ranges that a job searches."""

from __future__ import annotations

from tuning_operator.api.fields import InvalidJobError, Model
from tuning_operator.core.space import Categorical, Continuous, Discrete, Integer, Parameter, Scale


class _ContinuousRange(Model):
    min: float
    max: float
    scale: Scale = Scale.AUTO
    step: float | None = None


class _IntegerRange(Model):
    min: int
    max: int
    scale: Scale = Scale.AUTO
    step: int = 1


class _DiscreteRange(Model):
    values: tuple[int | float, ...]
    scale: Scale = Scale.AUTO

    def numbers(self) -> tuple[float, ...]:
        """Return whole numbers as such, where all of them are."""
        whole = all(float(value).is_integer() for value in self.values)
        return tuple(int(value) if whole else float(value) for value in self.values)


class _CategoricalRange(Model):
    values: tuple[str, ...]


class ParameterModel(Model):
    """A parameter with the one range that it has."""

    name: str
    continuous: _ContinuousRange | None = None
    integer: _IntegerRange | None = None
    discrete: _DiscreteRange | None = None
    categorical: _CategoricalRange | None = None

    def to_core(self) -> Parameter:
        """Return it as the core knows it; raises InvalidJobError without a range."""
        if self.continuous and self.continuous.step is not None:
            return Discrete.stepped(self.name, self.continuous.min, self.continuous.max, self.continuous.step)
        if self.continuous:
            return Continuous(self.name, self.continuous.min, self.continuous.max, self.continuous.scale)
        if self.integer:
            return Integer(self.name, self.integer.min, self.integer.max, self.integer.scale, self.integer.step)
        if self.discrete:
            return Discrete(self.name, self.discrete.numbers(), self.discrete.scale)
        if self.categorical:
            return Categorical(self.name, self.categorical.values)
        kinds = "continuous, integer, discrete or categorical"
        raise InvalidJobError(f"spec.parameters[{self.name}] has no range: set {kinds}")
