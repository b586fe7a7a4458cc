"""Reports what the pieces of a log say, and notes what it could not report."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tuning_trainer.follow.doubt import Doubt, Written
from tuning_trainer.follow.epochs import Epochs
from tuning_trainer.follow.findings import BEST
from tuning_trainer.follow.notes import Notes
from tuning_trainer.follow.ranks import is_heading_of_best
from tuning_trainer.history import epoch_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tuning_trainer.follow.findings import Found
    from tuning_trainer.follow.formats import Format
    from tuning_trainer.follow.screen import Piece, Screen

MAX_OTHERS = 9_000
"""Values of metrics other than the objective; at the most epochs, the page then stays below 50,000 series."""


class Follower:
    """Takes pieces of a log in their order.

    Attributes:
        notes: what became of them.
    """

    def __init__(self, place: Callable[[float, Mapping[str, float]], Mapping[str, float]], form: Format) -> None:
        """Begin a log.

        Args:
            place: takes an epoch and its metrics, and returns what was known of them with another value.
            form: how metrics are found.
        """
        self.notes = Notes(form.objective, form.nothing)
        self._place = place
        self._form = form
        self._epochs = Epochs(self._publish, form.objective)
        self._doubt = Doubt(form.objective)
        self._first: str | None = None
        self._is_best = False
        self._others = 0

    def take(self, piece: Piece) -> None:
        """Report what a piece completes. No content is an error: the training continues, and so does this."""
        if self._first is None:
            self._first = piece.text
        elif piece.restarted and piece.text == self._first:
            self._use(self._doubt.end())
            self._epochs.begin_again()
            self._doubt = Doubt(self._form.objective)
        self.notes.read(piece.text)
        if piece.is_cut:
            self.notes.refuse(f"it is longer than {len(piece.text):,} characters, and its end was not read")
        founds = self._form.parse(piece.text)
        if self._is_best:
            founds = [replace(found, rank=min(found.rank, BEST)) for found in founds]
        self._is_best = is_heading_of_best(piece.text)
        self.notes.found(frozenset(name for found in founds for name in found.values))
        for found in founds:
            for problem in found.problems:
                self.notes.refuse(problem)
            self._use(self._doubt.take(Written(found, piece.row, piece.moved)), newest=found)

    def settle(self, screen: Screen, quiet: float) -> None:
        """Report what is final, as far as the log goes at present.

        Args:
            screen: where its last pieces came from.
            quiet: seconds since the last one.
        """
        epoch = self._form.begun(screen.open_text)
        if epoch is not None:
            self._epochs.begins(epoch)
        self._epochs.settle(screen.row, moves=screen.moves, quiet=quiet)

    def end(self) -> None:
        """Report the rest: the training is over."""
        self._use(self._doubt.end())
        for problem in (self._doubt.problem, *self._epochs.end()):
            if problem:
                self.notes.refuse(problem, earlier=True)
        self.notes.left_out = self._epochs.left_out

    def _use(self, ready: Sequence[Written], newest: Found | None = None) -> None:
        for found, row, moves in ready:
            if problem := self._epochs.take(found, row, moves=moves):
                self.notes.refuse(problem, earlier=found is not newest)

    def _publish(self, epoch: float, values: Mapping[str, float]) -> None:
        objective = self._form.objective
        ordered = {objective: values[objective]} if objective in values else {}
        if self._others < MAX_OTHERS:
            ordered |= values
            self._others += len(values)
        try:
            known = self._place(epoch, ordered)
        except ValueError as error:
            self.notes.refuse(str(error), earlier=True)
            return
        if objective in known:
            self.notes.refuse(
                f"epoch {epoch_text(epoch)} had {objective} {known[objective]!r} before, and has {values[objective]!r} "
                f"now: the first value of an epoch counts",
                earlier=True,
            )
