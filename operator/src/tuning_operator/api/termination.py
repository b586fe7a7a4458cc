"""The termination message: the history that a trainer leaves for the case that Prometheus missed something.

A trainer is not trusted: whatever does not follow the contract is no history, and bounds hold for what does. Where a
Pod has no room for a message the kubelet cuts it: what is left is used, and known not to be all.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, WrapValidator

from tuning_operator.api.values import printable
from tuning_operator.core.model.attempt import History, Log
from tuning_operator.core.model.curves import Curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidatorFunctionWrapHandler

MAX_EPOCH = 39_999
"""Later epochs are ignored: a curve has to fit into its TuningTrial, and that into etcd."""
MAX_METRICS, MAX_NAME = 40, 128
"""Number of metrics, and characters of each name, that users are shown."""
MAX_BYTES, MAX_POD_BYTES = 4096, 12 * 1024
"""What the kubelet reads of one container's message, and what it keeps of all those of a Pod."""
_LONGEST = 64 * 1024
"""Characters of a message that are read: no kubelet keeps that many, but whoever may write a Pod's status may."""
MAX_PROBLEM, MAX_SAMPLE = 300, 200
"""Characters of the sidecar's note about a log, and of the line that it quotes."""
_Number = float | Literal["NaN", "Infinity", "-Infinity"]
_OBJECT = TypeAdapter(dict[str, Any])


def _or_nothing(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """An unusable `error` or `log` does not cost the history."""
    try:
        return validate(value)
    except ValidationError:
        return None


class _Log(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    lines: int = Field(ge=0, le=10**15)
    used: int = Field(ge=0, le=10**15)
    refused: int = Field(default=0, ge=0, le=10**15)
    problem: str = ""
    sample: str = ""


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    epochs: list[int | float] = Field(max_length=4096)
    metrics: dict[str, list[_Number | None]]
    completed: int
    thinned: bool = False
    error: Annotated[str | None, WrapValidator(_or_nothing)] = None
    log: Annotated[_Log | None, WrapValidator(_or_nothing)] = None


def parse_history(text: str, metric: str) -> History | None:
    """Parse a termination message; None when it is something else (an error message, nothing).

    Args:
        text: The message, at most 4 KiB by Kubernetes' own limit.
        metric: The objective.
    """
    if len(text) > _LONGEST:
        return None
    try:
        message = _Message.model_validate_json(text)
    except ValidationError as error:
        rest = _rest_of(text) if "EOF while parsing" in error.errors(include_input=False)[0]["msg"] else None
        return _history(rest, metric, cut=True) if rest else None
    except ValueError:
        return None
    return _history(message, metric)


def _rest_of(text: str) -> _Message | None:
    """What is left of a message that was cut: its whole epochs and values. The last number may lack digits."""
    try:
        found = _OBJECT.validate_json(text.rstrip("0123456789+-.eE"), experimental_allow_partial=True)
        metrics = {name: values for name, values in found["metrics"].items() if values}
        return _Message.model_validate(found | {"metrics": metrics, "completed": len(found["epochs"]), "thinned": True})
    except (ValidationError, ValueError, AttributeError, KeyError, TypeError):
        return None


def _history(message: _Message, metric: str, *, cut: bool = False) -> History | None:
    try:
        epochs = list(map(_epoch, message.epochs))
        curves = {name: _curve(epochs, values, cut=cut) for name, values in sorted(message.metrics.items())}
    except (ValueError, OverflowError):
        return None
    curve = curves.get(metric, Curve())
    if any(not 0 <= measurement.epoch <= MAX_EPOCH for measurement in curve):
        return None
    complete = not message.thinned and len(message.epochs) == message.completed
    last = {printable(name, MAX_NAME): other.latest for name, other in curves.items() if other.latest}
    return History(curve, complete, dict(islice(last.items(), MAX_METRICS)), message.error or "", _log(message.log))


def _curve(epochs: Sequence[Any], values: Sequence[_Number | None], *, cut: bool) -> Curve:
    pairs = zip(epochs, values, strict=not cut)
    return Curve.of((epoch, float(value)) for epoch, value in pairs if value is not None)


def _epoch(number: float) -> float:
    """An epoch; one that is whole is an integer, however it was written.

    Raises:
        ValueError, OverflowError: It is no number, or infinite.
    """
    return int(number) if int(number) == number else number


def _log(log: _Log | None) -> Log | None:
    if log is None:
        return None
    problem, sample = printable(log.problem, MAX_PROBLEM), printable(log.sample, MAX_SAMPLE)
    return Log(log.lines, log.used, log.refused, problem, sample)
