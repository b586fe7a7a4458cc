"""What a training run has reported so far: a grow-only table of epochs and metrics.

A value that has been reported is final: whoever reads the table twice sees the same numbers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, SupportsFloat, SupportsIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_METRIC_LENGTH = 128
MAX_METRICS = 64


class History:
    """Epochs in ascending order without gaps, each with the values of its metrics."""

    def __init__(self) -> None:
        self._epochs: dict[int, dict[str, float]] = {}

    def __len__(self) -> int:
        return len(self._epochs)

    def __iter__(self) -> Iterator[tuple[int, dict[str, float]]]:
        return iter(self._epochs.items())

    def add(
        self, epoch: SupportsIndex, metrics: Mapping[str, SupportsFloat | SupportsIndex]
    ) -> tuple[int, dict[str, float]]:
        """Enter the metrics of an epoch and return the epoch with what is new.

        An epoch may be reported again with the same values, or with metrics that it did not have yet.

        Raises:
            TypeError: the epoch is no integer, or a metric's name no string or its value no number.
            ValueError: a reported value would change; an epoch is missing; a name is out of bounds.
        """
        epoch = checked_epoch(epoch)
        values = {checked_name(name): checked_value(name, value) for name, value in metrics.items()}
        if not values:
            raise ValueError(f"epoch {epoch} was reported without a metric: give at least one, name and value")
        known = self._epochs.get(epoch)
        if known is None:
            self._check_next(epoch)
            known = {}
        for name in values.keys() & known.keys():
            if not same(values[name], known[name]):
                raise ValueError(
                    f"metric {name!r} of epoch {epoch} was reported as {known[name]!r} and is "
                    f"{values[name]!r} now: a reported value is final; report an epoch once, when it is over"
                )
        new = {name: value for name, value in values.items() if name not in known}
        if len(self.names() | new.keys()) > MAX_METRICS:
            raise ValueError(f"more than {MAX_METRICS} metrics: report those that a tuner or a reader needs")
        # Replaced, not changed: a signal handler may be reading.
        self._epochs[epoch] = known | new
        return epoch, new

    def names(self) -> set[str]:
        """The metrics reported in any epoch."""
        return {name for metrics in list(self._epochs.values()) for name in metrics}

    def _check_next(self, epoch: int) -> None:
        if not self._epochs:
            if epoch not in (0, 1):
                raise ValueError(
                    f"the first epoch reported is {epoch}: epochs count from 1 (or 0); "
                    f"training that resumes first reports the epochs of its checkpoint"
                )
            return
        last = next(reversed(self._epochs))
        if epoch != last + 1:
            raise ValueError(
                f"epoch {epoch} was reported after epoch {last}: epochs are consecutive; "
                f"measurements taken every few epochs are counted 1, 2, 3 and so on"
            )


def checked_epoch(epoch: SupportsIndex) -> int:
    """The epoch as an integer; numpy's integers are welcome, floats and booleans are not."""
    if isinstance(epoch, bool) or not isinstance(epoch, SupportsIndex):
        raise TypeError(f"epoch is {epoch!r}: give an integer")
    return epoch.__index__()


def checked_name(name: str) -> str:
    """The metric's name, if it can be a label's value and an entry of a resource."""
    if not isinstance(name, str):
        raise TypeError(f"metric name {name!r} is no string")
    if not 1 <= len(name) <= MAX_METRIC_LENGTH:
        raise ValueError(f"metric name {name[:40]!r} has {len(name)} characters: 1 to {MAX_METRIC_LENGTH} are allowed")
    if not name.isprintable():
        raise ValueError(f"metric name {name!r} has characters that cannot be printed: leave them out")
    return name


def checked_value(name: str, value: SupportsFloat | SupportsIndex) -> float:
    """The value as a float: a number, a numpy scalar or a tensor of one element; NaN and infinities too."""
    if isinstance(value, str | bytes):
        raise TypeError(f"metric {name!r} is {value!r}: give a number")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"metric {name!r} is {value!r}: give a number ({error})") from error


def same(one: float, other: float) -> bool:
    """Whether two values are the same measurement; NaN is the same as NaN."""
    return one == other or (math.isnan(one) and math.isnan(other))
