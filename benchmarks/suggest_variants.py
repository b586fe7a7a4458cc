"""Our suggester with one decision taken otherwise, to measure what the decision is worth."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
from scipy.stats import norm, rankdata

from tuning_operator.core.suggest import bayesian, density, history, model, outcomes, search, start
from tuning_operator.core.suggest.sobol import sobol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tuning_operator.core.model.curves import Goal
    from tuning_operator.core.space import Space, Value
    from tuning_operator.core.suggest import SuggestRequest

    Values = NDArray[np.float64]


def _spread_from_the_first(space: Space, seed: int, numbers: Sequence[int]) -> list[dict[str, Value]]:
    """Leave the first point of the start where the Sobol sequence has it."""
    uniform = sobol(len(space.parameters), [number - 1 for number in numbers], seed)
    return [space.decode(row) for row in space.spread(uniform)]


def _penalised(goal: Goal, objectives: Sequence[float | None]) -> Values:
    """Count a failed trial as a standard deviation below the worst."""
    finite = np.array([value is not None and math.isfinite(value) for value in objectives])
    values = outcomes.utilities(goal, objectives)
    return outcomes.standard(np.where(finite, values, values.min() - 1))


def _ranks(goal: Goal, objectives: Sequence[float | None]) -> Values:
    """Take the normal scores of the ranks alone."""
    values = outcomes.utilities(goal, objectives)
    return outcomes.standard(norm.ppf((rankdata(values) - 0.5) / len(values)))


def _half_ranks(goal: Goal, objectives: Sequence[float | None]) -> Values:
    """Go halfway to the ranks."""
    return outcomes.standard(outcomes.utilities(goal, objectives) + _ranks(goal, objectives))


class Forgetting(search.Search):
    """Leaves failed trials out of the model, and remembers only not to repeat them."""

    def __init__(self, space: Space, fitted: model.Process, known: history.History, *rest: Any) -> None:
        super().__init__(space, fitted, known, *rest)
        self.terrain.seen.update(_FAILED)


class Finished(history.History):
    """The trials that have an objective."""

    @classmethod
    def of(cls, request: SuggestRequest) -> history.History:
        lost = [seen for seen in request.observations if seen.objective is None]
        _FAILED.clear()
        _FAILED.update(row.tobytes() for row in request.space.encode([seen.parameters for seen in lost]))
        kept = tuple(seen for seen in request.observations if seen.objective is not None)
        return super().of(replace(request, observations=kept))


def _unchanged(values: Values) -> Values:
    return values


_FAILED: set[bytes] = set()

VARIANTS: Mapping[str, list[tuple[object, str, object]]] = {
    "as-decided": [],
    "no-middle": [(start, "_start", _spread_from_the_first)],
    "start-of-2": [(start, "START", 2)],
    "start-of-3": [(start, "START", 3)],
    "start-of-10": [(start, "START", 10)],
    "no-ratios": [(outcomes, "ratios", _unchanged)],
    "half-ranks": [(history, "utilities", _half_ranks)],
    "ranks-only": [(history, "utilities", _ranks)],
    "standardised": [(outcomes, "ratios", _unchanged), (outcomes, "power", outcomes.standard)],
    "botorch-prior": [(density, "LENGTHSCALE", (2**0.5, 3**0.5))],
    "shorter-scales": [(density, "LENGTHSCALE", (-0.4, 0.6))],
    "longer-scales": [(density, "LENGTHSCALE", (0.4, 0.6))],
    "unequal-scales": [(density, "LENGTHSCALE", (0.4, 0.8))],
    "less-noise": [(density, "NOISE", (-6.0, 1.5))],
    "more-noise": [(density, "NOISE", (-3.5, 1.0))],
    "never-bent": [(model, "CLEARLY", math.inf)],
    "failed-penalised": [(history, "utilities", _penalised)],
    "failed-left-out": [(bayesian, "History", Finished), (bayesian, "Search", Forgetting)],
}


def varied(name: str) -> ExitStack:
    """Return a context in which suggestions are made in a variant's way."""
    stack = ExitStack()
    for owner, attribute, value in VARIANTS[name]:
        stack.enter_context(patch.object(owner, attribute, value))
    return stack
