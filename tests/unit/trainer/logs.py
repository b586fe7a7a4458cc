"""Logs as trainings write them, and what a follower makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tuning_trainer.follow.follower import Follower
from tuning_trainer.follow.formats import json_lines, text
from tuning_trainer.follow.lines import MAX_LINE
from tuning_trainer.follow.patterns import definitions_of
from tuning_trainer.follow.screen import Screen
from tuning_trainer.history import History, same

if TYPE_CHECKING:
    from collections.abc import Mapping

LOSS = "val_loss"
PLAIN = "([0-9.]+)"
"""As people write: it knows no sign, no exponent and no NaN."""


class Followed:
    """A log that is followed, as the sidecar does it, without a file and a page."""

    def __init__(self, metric: str = LOSS, regex: str = "", **others: str) -> None:
        self.history = History()
        definitions = definitions_of({metric: regex, **others}) if regex else ()
        self.follower = Follower(self._place, text(metric, definitions) if regex else json_lines(metric))
        self.screen = Screen(MAX_LINE)
        self.metric = metric

    def read(self, written: str, *, restarted: bool = False) -> Followed:
        """Follow what is there now: more, or a file that was begun again."""
        for piece in self.screen.take(written):
            self.follower.take(replace(piece, restarted=restarted))
            restarted = False
        return self

    def settled(self, written: str = "", quiet: float = 0) -> list[tuple[float, float | None]]:
        """What is known at a time at which the sidecar has read all that is there."""
        self.read(written).follower.settle(self.screen, quiet)
        return self.points

    def end(self, written: str = "") -> list[tuple[float, float | None]]:
        """What is known when the training has ended."""
        for piece in self.screen.take(written, last=True):
            self.follower.take(piece)
        self.follower.end()
        return self.points

    @property
    def points(self) -> list[tuple[float, float | None]]:
        return [(epoch, metrics.get(self.metric)) for epoch, metrics in self.history]

    @property
    def summary(self) -> dict[str, Any]:
        return dict(self.follower.notes.summary(""))

    def _place(self, epoch: float, metrics: Mapping[str, float]) -> dict[str, float]:
        number, _ = self.history.place(epoch, metrics)
        known = {name: self.history.value(number, name) for name in metrics}
        return {name: was for name, was in known.items() if was is not None and not same(was, metrics[name])}


def bar(epochs: int, updates: int = 3) -> str:
    """A bar that rewrites its line for all epochs: the loss falls by 0.1 an epoch, to x.x0 at each one's end."""
    return "".join(
        f"\rEpoch {epoch}:  {done}0%|##  | {done}/{updates} [val_loss={1 - epoch / 10 + (updates - done) / 100:.2f}]"
        for epoch in range(epochs)
        for done in range(updates + 1)
    )


def assert_points(found: list[tuple[float, float | None]], expected: list[tuple[float, float | None]]) -> None:
    """The same epochs with the same values, of which some may be NaN."""
    assert [epoch for epoch, _ in found] == [epoch for epoch, _ in expected]
    assert [value for _, value in found] == [pytest.approx(value, nan_ok=True) for _, value in expected]
