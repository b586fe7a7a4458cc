"""Which epoch a scalar of TensorBoard belongs to: each step with a value of the objective is one, counted from 1."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from tuning_trainer.follow.notes import Notes
from tuning_trainer.history import MAX_EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tuning_trainer.follow.events import Scalar

MAX_OTHERS = 9_000
"""Values of other metrics than the objective: with all epochs there can be a page stays below 50,000 series."""
MAX_WAITING = 256
"""Other tags whose newest value is kept until the objective comes."""


class Steps:
    """Takes scalars and publishes epochs. A run that resumes writes steps again: the first value of each counts.

    Attributes:
        notes: what became of the scalars.
    """

    def __init__(self, place: Callable[[float, Mapping[str, float]], object], objective: str, tag: str) -> None:
        """Begin.

        Args:
            place: takes an epoch and its metrics; what it knows stays.
            objective: the metric's name.
            tag: its tag in the event files.
        """
        self.notes = Notes(objective, f"none has the tag {tag}", noun="scalar")
        self._place = place
        self._objective = objective
        self._tag = tag
        self._steps: list[int] = []
        self._waiting: dict[str, Scalar] = {}
        self._others = 0
        self._last: Scalar | None = None

    def take(self, scalar: Scalar) -> None:
        """Take a scalar: the objective's makes an epoch of what came since the one before."""
        is_objective = scalar.tag == self._tag
        self.notes.read(f"{scalar.tag} {scalar.value:g} at step {scalar.step}")
        if not is_objective and scalar.tag == self._objective:
            return  # another tag of the objective's name
        self.notes.found(frozenset({self._objective if is_objective else scalar.tag}))
        if is_objective and not (self._steps and scalar.step <= self._steps[-1]):
            self._end(scalar)
        elif not is_objective:
            self._add(scalar)

    def end(self) -> None:
        """Publish the last value of the objective, where it is beyond the last epoch that is kept."""
        if self._last is not None:
            self._place(MAX_EPOCH, {self._objective: self._last.value})

    def _end(self, scalar: Scalar) -> None:
        if len(self._steps) >= MAX_EPOCH - 1:
            self._last = scalar
            self.notes.left_out += 1
            return
        self._steps.append(scalar.step)
        over = [other for other in self._waiting.values() if other.step <= scalar.step]
        for other in over:
            del self._waiting[other.tag]
        self._publish(len(self._steps), {self._objective: scalar.value}, over)

    def _add(self, scalar: Scalar) -> None:
        # Each writer has a buffer: another file may come late with what belongs to an epoch that is known.
        epoch = bisect_left(self._steps, scalar.step) + 1
        if epoch <= len(self._steps):
            self._publish(epoch, {}, [scalar])
        elif scalar.tag in self._waiting or len(self._waiting) < MAX_WAITING:
            self._waiting[scalar.tag] = scalar

    def _publish(self, epoch: int, values: dict[str, float], others: list[Scalar]) -> None:
        room = max(0, MAX_OTHERS - self._others)
        self._others += len(others[:room])
        metrics = values | {other.tag: other.value for other in others[:room]}
        if metrics:
            self._place(epoch, metrics)
