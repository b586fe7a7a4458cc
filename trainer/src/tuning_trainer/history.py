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
MAX_EPOCH = 39_999
"""The last epoch that a tuner takes."""
_DECIMALS = 6


class History:
    """Epochs in ascending order, each with the values of its metrics.

    `add` holds a training to consecutive epochs; `place` takes the epochs that a log states.
    """

    def __init__(self) -> None:
        self._epochs: dict[float, dict[str, float]] = {}
        self._names: set[str] = set()
        self._sorted = True

    def __len__(self) -> int:
        return len(self._epochs)

    def __iter__(self) -> Iterator[tuple[float, dict[str, float]]]:
        items = list(self._epochs.items())
        return iter(items if self._sorted else sorted(items, key=lambda item: item[0]))

    def add(
        self, epoch: SupportsIndex, metrics: Mapping[str, SupportsFloat | SupportsIndex]
    ) -> tuple[int, dict[str, float]]:
        """Enter the metrics of an epoch and return the epoch with what is new.

        An epoch may be reported again with the same values, or with metrics that it did not have yet.

        Raises:
            TypeError: the epoch is not an integer, a metric's name not a string, or its value not a number.
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
        if len(self._names | new.keys()) > MAX_METRICS:
            raise ValueError(f"more than {MAX_METRICS} metrics: report those that a tuner or a reader needs")
        self._enter(epoch, known | new)
        return epoch, new

    def place(self, epoch: float, metrics: Mapping[str, float]) -> tuple[float, dict[str, float]]:
        """Enter what a log says of an epoch, wherever that is; return the epoch with what is new.

        What is known stays: another value for it is left out. So are metrics beyond the first 64, and names that are
        out of bounds; the objective has to come first.

        Raises:
            ValueError: the epoch is out of bounds, or there are too many.
        """
        epoch = placed_epoch(epoch)
        known = self._epochs.get(epoch, {})
        if not known and len(self._epochs) > MAX_EPOCH:
            raise ValueError(f"epoch {epoch_text(epoch)} is one more than the {MAX_EPOCH + 1} epochs that are kept")
        new: dict[str, float] = {}
        for name, value in metrics.items():
            fits = name in self._names or (len(self._names | new.keys()) < MAX_METRICS and _is_name(name))
            if name not in known and fits:
                new[name] = value
        if new:
            self._enter(epoch, known | new)
        return epoch, new

    def value(self, epoch: float, metric: str) -> float | None:
        """Return what is known of a metric at an epoch."""
        return self._epochs.get(epoch, {}).get(metric)

    def _enter(self, epoch: float, metrics: dict[str, float]) -> None:
        self._sorted = self._sorted and (
            not self._epochs or epoch in self._epochs or epoch > next(reversed(self._epochs))
        )
        # Replaced, not changed: a signal handler may be reading.
        self._epochs[epoch] = metrics
        self._names |= metrics.keys()

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
    """Return the epoch as an integer; numpy's integers are welcome, floats and booleans are not."""
    if isinstance(epoch, bool) or not isinstance(epoch, SupportsIndex):
        raise TypeError(f"epoch is {epoch!r}: give an integer")
    return epoch.__index__()


def placed_epoch(epoch: float) -> float:
    """Return the epoch with six decimals, and as an integer where it is whole.

    Raises:
        ValueError: it is out of bounds.
    """
    if not 0 <= epoch <= MAX_EPOCH:
        raise ValueError(f"epoch {epoch:g} is out of bounds: 0 to {MAX_EPOCH} are kept")
    rounded = round(epoch, _DECIMALS)
    return int(rounded) if rounded == int(rounded) else rounded


def epoch_text(epoch: float) -> str:
    """Return the epoch in decimals, as short as can be: never 3.0, never 1e-06."""
    return str(epoch) if isinstance(epoch, int) else f"{epoch:.{_DECIMALS}f}".rstrip("0").rstrip(".")


def checked_name(name: str) -> str:
    """Return the metric's name, if it can be a label's value and an entry of a resource."""
    if not isinstance(name, str):
        raise TypeError(f"metric name {name!r} is not a string")
    if not 1 <= len(name) <= MAX_METRIC_LENGTH:
        raise ValueError(f"metric name {name[:40]!r} has {len(name)} characters: 1 to {MAX_METRIC_LENGTH} are allowed")
    if not name.isprintable():
        raise ValueError(f"metric name {name!r} has characters that cannot be printed: leave them out")
    return name


def _is_name(name: str) -> bool:
    return 1 <= len(name) <= MAX_METRIC_LENGTH and name.isprintable()


def checked_value(name: str, value: SupportsFloat | SupportsIndex) -> float:
    """Return the value as a float: a number, a numpy scalar or a tensor of one element; NaN and infinities too."""
    if isinstance(value, str | bytes):
        raise TypeError(f"metric {name!r} is {value!r}: give a number")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"metric {name!r} is {value!r}: give a number ({error})") from error


def same(one: float, other: float) -> bool:
    """Whether two values are the same measurement; NaN is the same as NaN."""
    return one == other or (math.isnan(one) and math.isnan(other))
