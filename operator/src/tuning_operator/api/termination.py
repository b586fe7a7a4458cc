"""The termination message: the history that a trainer leaves for the case that Prometheus missed something.

A trainer is not trusted: whatever does not follow the contract is no history, and bounds hold for what does.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuning_operator.api.values import printable
from tuning_operator.core.model.attempt import History
from tuning_operator.core.model.curves import Curve

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_EPOCH = 39_999
"""Later epochs are ignored: a curve has to fit into its TuningTrial, and that into etcd."""
MAX_METRICS, MAX_NAME = 40, 128
"""As many metrics, and as much of each one's name, as users are told of."""
_Number = float | Literal["NaN", "Infinity", "-Infinity"]


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    epochs: list[int] = Field(max_length=4096)
    metrics: dict[str, list[_Number | None]]
    completed: int
    thinned: bool = False


def parse_history(text: str, metric: str) -> History | None:
    """Parse a termination message; None when it is something else (an error message, nothing).

    Args:
        text: The message, at most 4 KiB by Kubernetes' own limit.
        metric: The objective.
    """
    try:
        message = _Message.model_validate_json(text)
        curve = _curve(message.epochs, message.metrics[metric]) if metric in message.metrics else Curve()
        others = {name: _curve(message.epochs, values) for name, values in sorted(message.metrics.items())}
    except (ValidationError, ValueError):
        return None
    if any(not 0 <= measurement.epoch <= MAX_EPOCH for measurement in curve):
        return None
    complete = not message.thinned and len(message.epochs) == message.completed
    last = {printable(name, MAX_NAME): other.latest for name, other in others.items() if other.latest}
    return History(curve, complete, dict(islice(last.items(), MAX_METRICS)))


def _curve(epochs: Sequence[int], values: Sequence[_Number | None]) -> Curve:
    return Curve.of((epoch, float(value)) for epoch, value in zip(epochs, values, strict=True) if value is not None)
