"""Which value belongs to which epoch, and when it is final.

A log that states its epochs is believed, whatever they are; else each line with a value of the objective ends one.
Of several values the last one counts, which is known when the next epoch begins or nothing more is written to the line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tuning_trainer.follow.findings import BEST, PLAIN, SIDE
from tuning_trainer.follow.numbering import Numbering
from tuning_trainer.follow.repetition import Repetition
from tuning_trainer.history import MAX_EPOCH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tuning_trainer.follow.findings import Found

SINGLE_EPOCHS = 2
"""Number of epochs with one line each after which the next line is taken for its epoch's only one."""
QUIET_SECONDS = 10.0
"""After so long without another line the first one is believed, too: a deadline for the first value may wait for it."""
OTHER_VALUE = "it has another name or a best value, and other lines have the metric itself"
STATED = 2
"""Number of values with epochs after which a value without one belongs to no epoch."""


@dataclass
class _Open:
    """An epoch whose last value may still come.

    Attributes:
        epoch: its number, from the one that is stated; none where epochs are counted.
        values: the last ones so far.
        rank: how sure it is that the value of the objective is the objective's.
        row: of the newest value of the objective.
        lines: how many have a value of the objective.
        is_within: the newest of them is from within the epoch.
        is_published: nothing is expected to follow.
        is_counted: the log does not state that number: it states none, or counts again.
    """

    epoch: float | None
    values: dict[str, float] = field(default_factory=dict)
    rank: int = SIDE
    row: int = -1
    lines: int = 0
    is_within: bool = False
    is_published: bool = False
    is_counted: bool = True


class Epochs:
    """Takes what is found in a log, and publishes epochs that are over.

    Attributes:
        left_out: how many counted epochs there were after the last one that is kept.
    """

    def __init__(self, publish: Callable[[float, Mapping[str, float]], None], objective: str) -> None:
        """Begin a log.

        Args:
            publish: takes an epoch and its metrics; may be called again with more of them.
            objective: the metric that ends an epoch where none is stated.
        """
        self.left_out = 0
        self._repetition = Repetition(publish, objective)
        self._objective = objective
        self._counted = 0
        self._singles = 0
        self._has_repeats = False
        self._last_row = -1
        self._highest: float | None = None
        self._numbering = Numbering()
        self._heading: float | None = None
        self._heading_rank = SIDE - 1
        self._has_headings = True
        self._stated = 0
        self._rank = SIDE
        self._open: _Open | None = None
        self._next: dict[str, float] = {}
        self._too_late: dict[str, float] = {}
        self._early = ""

    def take(self, found: Found, row: int, *, moves: bool = False) -> str:
        """Take what was written to a row. An epoch that is stated alone is a heading: it is that of what follows.

        Args:
            found: what was written.
            row: where.
            moves: the log moves the cursor, so that no line is known to be over.

        Returns:
            Why the value of the objective is not used; empty if it is.
        """
        has_objective = self._objective in found.values
        if self._is_mention(found, has_objective=has_objective):
            return OTHER_VALUE if has_objective else ""
        epoch = self._heading if found.epoch is None and found.values else self._number(found)
        if found.epoch is not None and epoch is not None:
            self._stated += has_objective
            self._set_heading(epoch, found.rank if has_objective else SIDE - 1)
        is_sure = epoch is not None and (found.epoch is not None or found.rank > self._heading_rank)
        if has_objective and not is_sure and self._stated >= STATED:
            return "it has no epoch, although others do: a best or final value belongs to no epoch"
        if has_objective and found.rank < self._least_rank(epoch, found.rank):
            return OTHER_VALUE
        if has_objective:
            self._rank = max(self._rank, found.rank)
        if epoch is None:
            # What is stated after a value and not with it may be the epoch before or the next.
            self._has_headings = self._has_headings and (not has_objective or found.rank == BEST)
            self._count(found, row)
        elif found.values or self._has_headings:
            self._state(epoch, found, row, moves=moves)
        return ""

    def begins(self, epoch: float) -> None:
        """Take the beginning of what is being written: it states an epoch."""
        if self._open is not None and self._open.epoch not in (None, epoch + self._numbering.offset):
            self._close()

    def settle(self, row: int, *, moves: bool, quiet: float) -> None:
        """Publish the newest epoch if its line is over and it is likely to have no other.

        Args:
            row: where the next text is written.
            moves: the log moves the cursor, so that no line is known to be over.
            quiet: seconds since something was written.
        """
        newest = self._open
        if newest is None or newest.is_published or not newest.lines or moves or row <= newest.row:
            return
        is_quiet = quiet >= QUIET_SECONDS and not self._has_repeats and newest.rank > SIDE
        if newest.epoch is None:
            is_over = not self._may_be_another(newest)
        else:
            is_over = self._is_only_one(newest) or (newest.lines == 1 and is_quiet and not newest.is_within)
        if is_over:
            self._finish(newest)

    def begin_again(self) -> None:
        """Count from the start: the same log is being written again from its beginning."""
        self._close()
        self._repetition.release()
        self._counted, self._heading, self._next = 0, None, {}
        self._highest, self._numbering = None, Numbering()

    def end(self) -> Sequence[str]:
        """Publish what is left: nothing follows.

        Returns:
            What may be wrong with the log.
        """
        newest = self._open
        self._close()
        return [problem for problem in (self._early, self._doubtful(newest)) if problem]

    def _doubtful(self, newest: _Open | None) -> str:
        if self._too_late:
            self._repetition.take(MAX_EPOCH, self._too_late, is_counted=True)
        if repeated := self._repetition.end():
            return repeated
        if newest is None or newest.epoch is None or newest.lines <= 1 or not self._numbering.is_alone:
            return ""
        return f"of {newest.lines} values the last one counts: epoch {newest.epoch:g} is the only one that is stated"

    def _is_mention(self, found: Found, *, has_objective: bool) -> bool:
        """Whether an epoch before the newest one is only spoken of: by its best value, or in a sentence."""
        newest = self._open.epoch if self._open is not None else self._highest
        if found.epoch is None or newest is None or found.epoch + self._numbering.offset > newest:
            return False
        if has_objective:
            return found.rank == BEST < self._rank
        return found.may_be_aside and found.total is None and not found.values

    def _number(self, found: Found) -> float | None:
        """The number of the epoch that is stated. One behind the values that it is about says nothing of the next."""
        has_objective = self._objective in found.values
        if found.epoch is None:
            return None
        if not (has_objective or self._has_headings):
            return found.epoch + self._numbering.offset
        if has_objective and found.rank == BEST and not self._stated and self._counted:
            return None
        if self._open is not None and self._open.epoch is None:
            if self._open.rank == BEST:
                self._drop_another(PLAIN)
            self._close()
        return self._numbering.take(
            found.epoch,
            found.total,
            highest=self._highest if self._open is None else max(self._highest or 0, self._open.epoch or 0),
            alone=not found.values,
            has_value=self._open is not None and self._open.lines > 0,
        )

    def _set_heading(self, epoch: float | None, rank: int) -> None:
        """Take an epoch for that of what follows, unless it has a value that is surely the objective's."""
        if rank > SIDE:
            self._heading = None
        elif self._has_headings:
            # Behind a value of other data only one that is named after the metric's own data belongs to its epoch.
            self._heading, self._heading_rank = epoch, PLAIN if rank == SIDE else rank

    def _is_only_one(self, newest: _Open) -> bool:
        """Whether the first line of an epoch counts, as in epochs before it."""
        return newest.lines == 1 and self._singles >= SINGLE_EPOCHS and newest.rank >= self._rank

    def _least_rank(self, epoch: float | None, rank: int) -> int:
        """The rank that a value needs. Where an epoch has no other value than its best one, that is its value."""
        if epoch is None or rank == SIDE:
            return self._rank
        return self._open.rank if self._open is not None and self._open.epoch == epoch else SIDE

    def _state(self, epoch: float, found: Found, row: int, *, moves: bool) -> None:
        values = found.values
        if self._open is None or self._open.epoch != epoch:
            self._close()
            self._open = _Open(epoch, is_counted=self._numbering.offset != 0)
        newest = self._open
        has_objective = self._objective in values
        # Whether the log was read before this line came, or with it, makes no difference.
        if has_objective and row > newest.row and not (moves or newest.is_published) and self._is_only_one(newest):
            self._finish(newest)
        newest.values.update(values)
        if has_objective:
            newest.lines += row != newest.row
            self._has_repeats = self._has_repeats or newest.lines > 1
            newest.row, newest.rank, newest.is_within = row, max(newest.rank, found.rank), found.is_within
        if newest.is_published and values:
            self._repetition.take(epoch, values, is_counted=newest.is_counted)

    def _may_be_another(self, newest: _Open) -> bool:
        """Whether a first value may turn out to be a best one, or another metric's."""
        return newest.epoch is None and newest.rank < PLAIN and not self._counted

    def _drop_another(self, rank: int) -> None:
        """Leave out a first value that is another metric's, since one of the metric itself follows."""
        newest = self._open
        if newest is not None and newest.lines and newest.rank < rank and self._may_be_another(newest):
            self._early = OTHER_VALUE
            newest.values.pop(self._objective)
            newest.lines = 0

    def _count(self, found: Found, row: int) -> None:
        values = found.values
        has_objective = self._objective in values
        if not values or (has_objective and row <= self._last_row):
            return  # a line that was final is written again
        if self._open is not None and self._open.epoch is not None:
            self._close()
        if self._open is not None and self._open.lines and row != self._open.row:
            if not has_objective:
                self._next.update(values)
                return
            self._drop_another(found.rank)
            self._close()
        if self._open is None:
            self._open, self._next = _Open(None, self._next), {}
        self._open.values.update(values)
        if has_objective:
            self._open.lines, self._open.row, self._open.rank = 1, row, max(self._open.rank, found.rank)

    def _close(self) -> None:
        over, self._open = self._open, None
        if over is None:
            return
        if over.epoch is not None:
            if over.lines:
                self._singles = self._singles + 1 if over.lines == 1 else 0
        elif not over.lines:
            self._next = over.values
            return
        else:
            self._last_row = over.row
        if not over.is_published:
            self._finish(over)

    def _finish(self, over: _Open) -> None:
        over.is_published = True
        if over.epoch is not None:
            if over.values:
                self._repetition.take(over.epoch, over.values, is_counted=over.is_counted)
            if over.lines:
                self._highest = max(self._highest or 0, over.epoch)
            if self._counted < over.epoch <= MAX_EPOCH:
                self._counted = int(over.epoch)
        elif self._counted < MAX_EPOCH - 1:
            self._counted += 1
            self._highest = max(self._highest or 0, self._counted)
            self._repetition.take(self._counted, over.values, is_counted=True)
        else:
            # The last place is for the last value, which is the objective.
            self._too_late = over.values
            self.left_out += 1
