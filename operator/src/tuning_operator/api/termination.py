"""The termination message: the history that a trainer leaves for the case that Prometheus missed something.

A trainer is not trusted: whatever does not follow the contract is no history, and bounds hold for what does.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tuning_operator.api.values import printable
from tuning_operator.core.curves import Curve
from tuning_operator.core.pods import History

MAX_EPOCH = 39_999
"""Later epochs are ignored: a curve has to fit into its TuningTrial, and that into etcd."""
MAX_METRICS, MAX_NAME = 16, 128
"""As many of the metrics' names, and as much of each, as users are told of."""
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
        values = message.metrics.get(metric, [])
        pairs = zip(message.epochs, values, strict=metric in message.metrics)
        curve = Curve.of((epoch, float(value)) for epoch, value in pairs if value is not None)
    except (ValidationError, ValueError):
        return None
    if any(not 0 <= measurement.epoch <= MAX_EPOCH for measurement in curve):
        return None
    complete = not message.thinned and len(message.epochs) == message.completed
    names = sorted(printable(name, MAX_NAME) for name in message.metrics)
    return History(curve, complete, tuple(names[:MAX_METRICS]))
