"""Numbers the epochs that a log states: where it counts again, after its last epoch or a first value, it continues."""

from __future__ import annotations

import math


class Numbering:
    """Gives each stated epoch a number.

    A training that goes back to a checkpoint states epochs again, which keep their numbers. One that has reached the
    last epoch it announced, and begins again with its first, is another stage: a second fit, or another fold.

    Attributes:
        offset: what stated epochs are raised by at present.
        is_alone: no other epoch has been stated so far, and no total.
    """

    def __init__(self) -> None:
        self.offset = 0.0
        self.is_alone = False
        self._first: float | None = None
        self._last = 0.0
        self._is_over = False

    def take(self, epoch: float, total: float | None, *, highest: float | None, alone: bool, has_value: bool) -> float:
        """Take a statement, and return the epoch's number.

        Args:
            epoch: as stated.
            total: how many epochs are announced with it, if that is said.
            highest: the highest number up to now; none if there is no value yet.
            alone: nothing else is stated: it is a heading.
            has_value: the epoch before this statement has a value.
        """
        begins = self._first is None
        if self._first is not None and self._is_over and epoch <= self._first:
            begins = epoch < self._last or (alone and has_value)
        if begins:
            self.is_alone = self._first is None and total is None and alone
            self._first = epoch
            # Of several values before the first statement this may well be one more mention of one of them.
            is_behind = highest is not None and epoch <= highest and (self._is_over or highest <= 1)
            self.offset = math.floor(highest or 0) + 1 - epoch if is_behind else 0.0
        elif epoch != self._last:
            self.is_alone = False
        if total is not None:
            self._is_over = epoch >= total or (self._first == 0 and epoch + 1 >= total)
        elif begins or epoch != self._last:
            self._is_over = False
        self._last = epoch
        return epoch + self.offset
