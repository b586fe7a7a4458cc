"""What a suggester is asked and what it answers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.model.observation import Observation, RelatedTrial
    from tuning_operator.core.model.spec import Strategy
    from tuning_operator.core.space import Space, Value


class Source(StrEnum):
    """What made a suggestion."""

    INITIAL = "Initial"  # what the user wants tried first
    SOBOL = "Sobol"  # the evenly spread start, before there is enough to learn from
    MODEL = "Model"
    RANDOM = "Random"  # asked for by the strategy
    GRID = "Grid"
    CONFIRMATION = "Confirmation"  # one of the best settings again, with another seed
    FALLBACK = "Fallback"  # random because the model failed; the message says how


class SpaceExhausted(Exception):  # noqa: N818 - an outcome that callers expect, not an error
    """Every point of a finite space has been tried or is being tried."""


@dataclass(frozen=True, slots=True)
class Initial:
    """A point to try first.

    Attributes:
        message: Where it comes from, for the user.
    """

    parameters: Mapping[str, Value]
    message: str


@dataclass(frozen=True, slots=True)
class SuggestRequest:
    """A question for suggestions.

    Attributes:
        numbers: The trials to propose parameters for, ascending; they are proposed jointly.
        observations: Finished trials; the order makes no difference.
        pending: Parameters of the trials that are committed and unfinished; the order makes no difference.
        relatives: The trials of each related job, in an order that stays the same.
        initial: The points that the user wants tried first, whether they have been or not.
    """

    space: Space
    goal: Goal
    strategy: Strategy
    seed: int
    numbers: tuple[int, ...]
    observations: tuple[Observation, ...]
    pending: tuple[Mapping[str, Value], ...]
    relatives: tuple[tuple[RelatedTrial, ...], ...] = ()
    initial: tuple[Initial, ...] = ()

    def seen(self) -> set[tuple[Value, ...]]:
        """Return the keys of all points that have been tried or are being tried."""
        tried = (observation.parameters for observation in self.observations)
        return {self.space.key(point) for point in (*tried, *self.pending)}

    def untried(self) -> tuple[Initial, ...]:
        """Return the initial points that have not been tried and are not being tried."""
        if not self.initial:
            return ()
        seen = self.seen()
        return tuple(point for point in self.initial if self.space.key(point.parameters) not in seen)

    def informing(self) -> tuple[Observation, ...]:
        """Return the observations that say something about their parameters."""
        return tuple(observation for observation in self.observations if observation.informs)

    def after(self, found: Sequence[Suggestion]) -> SuggestRequest:
        """Return what is left of the question when its first numbers are answered."""
        return replace(
            self,
            numbers=self.numbers[len(found) :],
            pending=(*self.pending, *(suggestion.parameters for suggestion in found)),
        )

    def finite(self) -> tuple[float, ...]:
        """Return the finite objectives."""
        return tuple(
            observation.objective
            for observation in self.observations
            if observation.objective is not None and math.isfinite(observation.objective)
        )


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Parameters for one trial and where they come from.

    Attributes:
        message: One sentence for the user.
        expected_gain: By how much the model expects the parameters to raise the best objective, as a share of the range
            of those observed, both on the model's scale; infinite when no model was asked.
        seed: The training's seed; None for the one that follows from the number.
        confirms: Number of the trial that is trained again; None for a new one.
    """

    number: int
    parameters: Mapping[str, Value]
    source: Source
    message: str
    expected_gain: float = math.inf
    seed: int | None = None
    confirms: int | None = None
