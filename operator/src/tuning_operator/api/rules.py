"""`spec.earlyStopping` and `spec.hyperband`: the rules that stop trials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from tuning_operator.api.fields import InvalidJobError, Model
from tuning_operator.core.model.early_stopping import (
    EarlyStopping,
    EarlyStoppingType,
    Hyperband,
    MedianKnobs,
    Statistic,
)
from tuning_operator.core.model.spec import Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Median(Model):
    statistic: Statistic = Statistic.BEST
    quantile: float = 0.5
    min_completed_trials: int = 3
    min_epochs: int = 2
    min_progress: float = 0.2


class EarlyStoppingModel(Model):
    """`spec.earlyStopping`."""

    type: EarlyStoppingType = EarlyStoppingType.OFF
    median: _Median = _Median()
    dry_run: bool = False
    pause: bool = False

    def to_core(self) -> EarlyStopping:
        """Return it as the core knows it."""
        return EarlyStopping(self.type, MedianKnobs(**self.median.model_dump()), self.dry_run, self.pause)


class HyperbandModel(Model):
    """`spec.hyperband`."""

    min_resource: int
    max_resource: int
    reduction_factor: int = 3
    proposals: Strategy = Strategy.RANDOM

    def to_core(self) -> Hyperband:
        """Return it as the core knows it."""
        return Hyperband(self.min_resource, self.max_resource, self.reduction_factor)


def parse_rule(rule: Mapping[str, Any]) -> EarlyStopping | Hyperband:
    """Parse a rule as in `spec.earlyStopping`, or `spec.hyperband` with the type Hyperband.

    Raises:
        InvalidJobError: It is not understood; unlike with an object that the API server has checked, that is a field
            of another name, too.
    """
    given = dict(rule)
    hyperband = given.get("type") == "Hyperband"
    if hyperband:
        del given["type"]
    model = HyperbandModel if hyperband else EarlyStoppingModel
    _refuse_unknown(model, given, "")
    if not hyperband:
        _refuse_unknown(_Median, given.get("median") or {}, "median.")
    try:
        return model.model_validate(given).to_core()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidJobError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except ValueError as error:
        raise InvalidJobError(str(error)) from error


def _refuse_unknown(model: type[Model], given: Mapping[str, Any], where: str) -> None:
    known = [to_camel(name) for name in model.model_fields]
    for name in given:
        if name not in known:
            raise InvalidJobError(f"{where}{name}: is not a field of the rule; its fields are {', '.join(known)}")
