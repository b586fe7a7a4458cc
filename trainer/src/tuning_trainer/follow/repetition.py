"""Leaves out epochs that are all of a log once more: a process that prints at its end what it has printed before.

Nothing else is left out: a second fit has other values, and whole repetitions change neither last nor best value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tuning_trainer.history import same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DISTINCT = 3
"""Different values that a log needs: one that repeats fewer may be a training that does not move."""


class Repetition:
    """Passes epochs on, and holds those that repeat the log from its first value until one differs."""

    def __init__(self, publish: Callable[[float, Mapping[str, float]], None], objective: str) -> None:
        """Begin a log.

        Args:
            publish: takes an epoch and its metrics.
            objective: the metric that is compared.
        """
        self._publish = publish
        self._objective = objective
        self._values: list[float] = []
        self._distinct: set[float | None] = set()
        self._last = -1.0
        self._held: list[tuple[float, Mapping[str, float]]] = []
        self._repeated = 0

    def take(self, epoch: float, values: Mapping[str, float], *, is_counted: bool) -> None:
        """Take an epoch that is over, or more metrics of one before.

        Args:
            epoch: its number.
            values: its metrics.
            is_counted: the log does not state that number: it states none, or counts again.
        """
        value = values.get(self._objective)
        if value is None or epoch <= self._last:
            is_held = bool(self._held) and epoch >= self._held[0][0]
            (self._hold if is_held else self._publish)(epoch, values)
            return
        if not (is_counted and self._is_next(value)):
            self.release()
        self._last = epoch
        if is_counted and self._is_next(value):
            self._repeated += 1
            self._hold(epoch, values)
            return
        self._know(value)
        self._publish(epoch, values)

    def release(self) -> None:
        """Pass on what is held."""
        held, self._held, self._repeated = self._held, [], 0
        known = math.nan
        for epoch, values in held:
            if self._objective in values and epoch != known:
                self._know(values[self._objective])
                known = epoch
            self._publish(epoch, values)

    def end(self) -> str:
        """Decide about what is held: nothing follows.

        Returns:
            What was left out; empty if nothing was.
        """
        count = self._repeated
        if not count or count % len(self._values):
            self.release()
            return ""
        self._held = []
        return f"{count} values are all of the log once more: they are left out"

    def _is_next(self, value: float) -> bool:
        """Whether a value is the one that a repetition has next."""
        if len(self._distinct) < DISTINCT:
            return False
        return same(value, self._values[self._repeated % len(self._values)])

    def _know(self, value: float) -> None:
        self._values.append(value)
        if len(self._distinct) < DISTINCT:
            self._distinct.add(None if math.isnan(value) else value)

    def _hold(self, epoch: float, values: Mapping[str, float]) -> None:
        self._held.append((epoch, values))
