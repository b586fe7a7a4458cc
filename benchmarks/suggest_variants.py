"""Our suggester with one decision taken otherwise, to measure what the decision is worth."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import torch
from botorch.models import MixedSingleTaskGP, SingleTaskGP
from botorch.models.transforms import Warp
from gpytorch.priors import LogNormalPrior
from scipy.stats import norm, rankdata

from benchmarks.suggest_averaged import fit_averaged
from tuning_operator.core.space import Categorical
from tuning_operator.core.suggest import bayesian, model, outcomes, search, start
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


class Overlap(model.MixedMatern):
    """Numbers by a Matérn kernel, times a factor for each category that differs, as BoTorch's CategoricalKernel has."""

    def __init__(self, space: Space, relatives: int, **kwargs: Any) -> None:
        super().__init__(space, relatives, **kwargs)
        self._factors = _categories(space)
        self._numbers = [place for place in self._numbers if place not in self._factors]
        self._categories = []

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **params: Any) -> torch.Tensor:
        covariance = super().forward(x1, x2, diag=diag, **params) if self._numbers else 1.0
        one, other = (x[..., self._factors] for x in (x1, x2))
        differs = (one if diag else one[..., :, None, :]) != (other if diag else other[..., None, :, :])
        return covariance * torch.exp(-(differs / self.lengthscale[..., 0, self._factors]).sum(-1))


def _categories(space: Space) -> list[int]:
    return [place for place, parameter in enumerate(space.parameters) if isinstance(parameter, Categorical)]


def _warped(space: Space, rows: torch.Tensor, objectives: torch.Tensor) -> SingleTaskGP:
    """Bend every number's scale by a Kumaraswamy distribution function, which the fit chooses."""
    plain = _PRIOR(space, rows, objectives)
    numbers = [place for place in range(len(space.parameters)) if place not in _categories(space)]
    bend = LogNormalPrior(0.0, 0.75**0.5)
    plain.input_transform = Warp(rows.shape[1], numbers, concentration1_prior=bend, concentration0_prior=bend)
    return plain


def _mixed_single_task(space: Space, rows: torch.Tensor, objectives: torch.Tensor) -> SingleTaskGP:
    """Take BoTorch's model for mixed spaces unchanged: a sum and a product of kernels, with its own priors."""
    categories = _categories(space)
    if not categories:
        return SingleTaskGP(rows, objectives[:, None], outcome_transform=None)
    return MixedSingleTaskGP(rows, objectives[:, None], categories, outcome_transform=None)


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

    def __init__(self, space: Space, fitted: SingleTaskGP, history: model.History, *rest: Any) -> None:
        super().__init__(space, fitted, history, *rest)
        self._seen |= _FAILED


class Finished(model.History):
    """The trials that have an objective."""

    @classmethod
    def of(cls, request: SuggestRequest) -> model.History:
        lost = [seen for seen in request.observations if seen.objective is None]
        _FAILED.clear()
        _FAILED.update(row.tobytes() for row in request.space.encode([seen.parameters for seen in lost]))
        kept = tuple(seen for seen in request.observations if seen.objective is not None)
        return super().of(replace(request, observations=kept))


def _unchanged(values: Values) -> Values:
    return values


_PRIOR = model._prior
_FAILED: set[bytes] = set()

VARIANTS: Mapping[str, list[tuple[object, str, object]]] = {
    "as-decided": [],
    "no-middle": [(start, "_start", _spread_from_the_first)],
    "start-of-2": [(start, "START", 2)],
    "start-of-3": [(start, "START", 3)],
    "start-of-10": [(start, "START", 10)],
    "no-ratios": [(outcomes, "ratios", _unchanged)],
    "half-ranks": [(model, "utilities", _half_ranks)],
    "ranks-only": [(model, "utilities", _ranks)],
    "standardised": [(outcomes, "ratios", _unchanged), (outcomes, "power", outcomes.standard)],
    "overlap": [(model, "MixedMatern", Overlap)],
    "mixed-single-task": [(model, "_prior", _mixed_single_task)],
    "warped": [(model, "_prior", _warped)],
    "averaged": [(bayesian, "fit", fit_averaged)],
    "botorch-prior": [(model, "LENGTHSCALE", (2**0.5, 3**0.5))],
    "more-noise": [(model, "NOISE", (-3.5, 1.0))],
    "expecting": [(search, "_SAMPLED_TRIALS", 0)],
    "failed-penalised": [(model, "utilities", _penalised)],
    "failed-left-out": [(bayesian, "History", Finished), (bayesian, "Search", Forgetting)],
}


def varied(name: str) -> ExitStack:
    """Return a context in which suggestions are made in a variant's way."""
    stack = ExitStack()
    for owner, attribute, value in VARIANTS[name]:
        stack.enter_context(patch.object(owner, attribute, value))
    return stack
