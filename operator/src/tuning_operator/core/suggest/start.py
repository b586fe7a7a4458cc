"""The start of the Bayesian strategy, before there is enough to learn from. It imports no torch."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Categorical
from tuning_operator.core.suggest.request import Source, Suggestion
from tuning_operator.core.suggest.sobol import sobol
from tuning_operator.core.suggest.streams import first_unseen, stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuning_operator.core.space import Space, Value
    from tuning_operator.core.suggest.request import SuggestRequest

START = 5
RELATED_START = 2
"""Trials with an objective that the model needs before it takes over; the second where related jobs are known."""


def needs_model(request: SuggestRequest) -> bool:
    """Whether an answer needs the model, and so a process that has loaded it.

    The model needs trials with an objective; where many fail, twice as many trials. Where all objectives are equal
    there is nothing to learn: a model would look into the corners of the space, which are the farthest from all trials.
    """
    if request.strategy is not Strategy.BAYESIAN or len(request.untried()) >= len(request.numbers):
        return False
    objectives = request.finite()
    if len(set(objectives)) < 2 and not request.relatives:  # noqa: PLR2004 - a difference needs two
        return False
    start = RELATED_START if request.relatives else START
    finite, total = len(objectives), len(request.informing())
    return finite >= start or (finite >= 2 and total >= 2 * start)  # noqa: PLR2004 - a difference needs two


def spread(request: SuggestRequest) -> tuple[Suggestion, ...]:
    """Propose the points of the seed's start that the trials' numbers stand for; raises SpaceExhausted."""
    space, seen = request.space, request.seen()
    suggestions = []
    for number, start in zip(request.numbers, _start(space, request.seed, request.numbers), strict=True):
        point = first_unseen(chain([start], stream(space, request.seed, number)), space, seen)
        seen.add(space.key(point))
        message = "the middle of the ranges" if number == 1 else "evenly spread start"
        suggestions.append(Suggestion(number, point, Source.SOBOL, message))
    return tuple(suggestions)


def _start(space: Space, seed: int, numbers: Sequence[int]) -> list[dict[str, Value]]:
    """Return points of the seed's scrambled Sobol sequence, the first one moved to the middle of all numeric scales.

    People lay ranges around what they know to work. Categories have no middle.
    """
    uniform = sobol(len(space.parameters), [number - 1 for number in numbers], seed)
    numeric = [not isinstance(parameter, Categorical) for parameter in space.parameters]
    uniform[np.ix_([number == 1 for number in numbers], numeric)] = 0.5
    return [space.decode(row) for row in space.spread(uniform)]
