"""Decides whether the first epoch that a log states is one, or a setting: `epoch: 100`, before the training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tuning_trainer.follow.findings import SIDE, Found
from tuning_trainer.history import MAX_EPOCH

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_HELD = 100_000
"""Findings that wait for a decision; with more of them the epoch is believed."""


class Written(NamedTuple):
    """What was found, and where.

    Attributes:
        found: what was written.
        row: where.
        moves: the log moves the cursor, so that no line is known to be over.
    """

    found: Found
    row: int
    moves: bool


class Doubt:
    """Holds what follows a first epoch above 1 that is stated without a value of the objective.

    It is an epoch if a later one follows, if it is stated again beside a value, or if more values follow than there are
    epochs. It is a setting if an earlier epoch follows, or if the log ends with several values and no other epoch. What
    a sentence mentions is none as soon as a second value follows.

    Attributes:
        problem: why the epoch was not used, once that is known; empty if it was.
    """

    def __init__(self, objective: str) -> None:
        """Begin a log.

        Args:
            objective: the metric whose values have epochs.
        """
        self.problem = ""
        self._objective = objective
        self._held: list[Written] = []
        self._is_over = False
        self._rank = SIDE
        self._row = -1
        self._values = 0
        self._is_stated_again = False

    def take(self, written: Written) -> Sequence[Written]:
        """Take what follows in a log, and return what can be used now."""
        if self._is_over:
            return (written,)
        epoch, has_value = written.found.epoch, self._objective in written.found.values
        if not self._held and epoch is None:
            self._is_over = has_value
            return (written,)
        if not self._held and (has_value or written.found.total is not None or (epoch or 0) <= 1):
            self._is_over = True
            return (written,)
        stated = self._held[0].found.epoch if self._held else epoch
        assert stated is not None  # noqa: S101 - the first that is held has one
        if epoch is not None and epoch < stated:
            return (*self._release(is_setting=True), written)
        self._hold(written)
        is_later = epoch is not None and (epoch > stated or has_value or written.found.total is not None)
        is_aside = not is_later and self._held[0].found.may_be_aside and self._values > 1
        is_between = has_value and self._is_stated_again
        self._is_stated_again = self._is_stated_again or (epoch is not None and self._values > 0)
        if is_aside or is_later or is_between or self._values > min(stated, MAX_EPOCH) or len(self._held) > MAX_HELD:
            return self._release(is_setting=is_aside)
        return ()

    def end(self) -> Sequence[Written]:
        """Return what is left: nothing follows."""
        if not self._held:
            return ()
        return self._release(is_setting=self._values > 1 and self._held[0].found.may_be_setting)

    def _hold(self, written: Written) -> None:
        found, row, moves = written
        if self._objective in found.values and found.rank >= self._rank:
            if found.rank > self._rank:
                self._rank, self._row, self._values = found.rank, -1, 0
            self._values += row != self._row
            self._row = row
        last = self._held[-1] if self._held else None
        if last is not None and found.epoch in (None, last.found.epoch) and self._is_one(last, written):
            values = {**last.found.values, **found.values}
            self._held[-1] = Written(replace(last.found, values=values), row, moves)
        else:
            self._held.append(written)

    def _is_one(self, last: Written, written: Written) -> bool:
        """Whether two findings say the same as one with the values of both."""
        has_value = [self._objective in each.found.values for each in (last, written)]
        if any(has_value):
            return all(has_value) and last[1:] == written[1:] and last.found.rank == written.found.rank
        return True

    def _release(self, *, is_setting: bool) -> Sequence[Written]:
        held, self._held, self._is_over = self._held, [], True
        stated = held[0].found.epoch
        if not is_setting:
            return held
        if self._values:
            self.problem = f"epoch {stated:g} is stated only before the training: it is taken for a setting"
        return [
            each._replace(found=replace(each.found, epoch=None)) if each.found.epoch == stated else each
            for each in held
        ]
