"""The Gaussian process: what is known of a job's trials, and how a new one would do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from botorch.models import SingleTaskGP
from botorch.optim.fit import fit_gpytorch_mll_scipy
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior

from tuning_operator.core.space import Categorical
from tuning_operator.core.suggest.outcomes import utilities

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tuning_operator.core.space import Space
    from tuning_operator.core.suggest.request import SuggestRequest


LENGTHSCALE = (0.0, 0.6)
"""Location and scale of the log-normal prior of a length scale, in units of the root of the number of parameters."""

NOISE = (-5.0, 1.0)
"""Location and scale of the log-normal prior of the noise's variance; utilities have variance 1."""

_FIT_STEPS = 50

_FIT_TRIALS, _MODEL_TRIALS = 300, 1000
"""Length scales are fitted to no more trials than the first number, and no more than the second are predicted from: the
best, and a sample of the others. Only trials of earlier jobs can be so many."""

_RELATED_TRIALS = 150
"""So many trials of related jobs are learned from, shared among these jobs."""


@dataclass(frozen=True)
class History:
    """What a job and related ones have tried, in an order that does not depend on that of its arrival.

    Attributes:
        rows: Finished trials that inform, encoded, the job's own first, shape (trials, parameters + relatives). The
            last columns are switches: that of its job is 1 for a related job's trial, all are 0 for an own one.
        objectives: Their utilities, standardised for each job by itself, higher is better, shape (trials,).
        own: How many of them are the job's own.
        pending: Unfinished trials, encoded, shape (pending, parameters).
        tried: All own finished trials, also those that do not inform or are too many for a model, shape (tried,
            parameters).
    """

    rows: NDArray[np.float64]
    objectives: NDArray[np.float64]
    own: int
    pending: NDArray[np.float64]
    tried: NDArray[np.float64]

    @classmethod
    def of(cls, request: SuggestRequest) -> History:
        """Encode a request's history."""
        space = request.space
        trials = sorted(
            ((space.key(seen.parameters), seen) for seen in request.informing()),
            key=lambda pair: (pair[0], pair[1].objective is None, repr(pair[1].objective)),
        )
        rows = space.encode([seen.parameters for _, seen in trials])
        objectives = utilities(request.goal, [seen.objective for _, seen in trials])
        chosen = _telling(objectives, _MODEL_TRIALS)
        related = [_related(request, place) for place in range(len(request.relatives))]
        return cls(
            rows=np.vstack([switched(rows[chosen], len(related)), *(those for those, _ in related)]),
            objectives=np.concatenate([objectives[chosen], *(worth for _, worth in related)]),
            own=len(chosen),
            pending=space.encode(sorted(request.pending, key=space.key)),
            tried=space.encode([seen.parameters for seen in request.observations]),
        )


def switched(rows: NDArray[np.float64], relatives: int, on: int | None = None) -> NDArray[np.float64]:
    """Return rows with a switch for each related job, one of which may be on."""
    switches = np.zeros((len(rows), relatives))
    if on is not None:
        switches[:, on] = 1.0
    return np.hstack([rows, switches])


def _related(request: SuggestRequest, place: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rows and utilities of a related job's most telling trials."""
    trials = sorted(request.relatives[place], key=lambda trial: (trial.place, repr(trial.objective)))
    worth = utilities(request.goal, [trial.objective for trial in trials])
    chosen = _telling(worth, _RELATED_TRIALS // len(request.relatives))
    rows = np.array([trial.place for trial in trials])[chosen]
    return switched(rows, len(request.relatives), on=place), worth[chosen]


class MixedMatern(Kernel):
    """Matérn-5/2 over numbers and categories, with one length scale per parameter.

    Two different categories are at distance 1, whatever their number: a category is a corner of a simplex. So is a
    related job, at the other end of its switch, whose length scale says how much it has in common with this one. Each
    has a level of its own besides: utilities say nothing about how good its trials are in comparison with others.
    """

    has_lengthscale = True

    def __init__(self, space: Space, relatives: int, **kwargs: Any) -> None:
        super().__init__(ard_num_dims=len(space.parameters) + relatives, **kwargs)
        self._width = len(space.parameters)
        # A category of two values is a number: 0 and 1 are at distance 1 already.
        self._categories = [
            place
            for place, parameter in enumerate(space.parameters)
            if isinstance(parameter, Categorical) and parameter.levels > 2  # noqa: PLR2004
        ]
        self._numbers = [place for place in range(self._width + relatives) if place not in self._categories]

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **params: Any) -> torch.Tensor:
        """Return the covariance of rows, without regard to what a category's number is."""
        root = 5**0.5 * self._distance(x1, x2, diag=diag, **params)
        matern: torch.Tensor = (1 + root + root.square() / 3) * torch.exp(-root)
        one, other = x1[..., self._width :], x2[..., self._width :]
        return matern + ((one * other).sum(-1) if diag else one @ other.transpose(-1, -2))

    def _distance(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool, **params: Any) -> torch.Tensor:
        """Return distances in length scales; two different categories are one length scale apart."""
        scales = self.lengthscale[..., self._numbers]
        one, other = x1[..., self._numbers] / scales, x2[..., self._numbers] / scales
        square: torch.Tensor = self.covar_dist(one, other, diag=diag, square_dist=True, **params)
        for place in self._categories:
            first, second, scale = x1[..., place], x2[..., place], self.lengthscale[..., place]
            if not diag:
                first, second, scale = first[..., :, None], second[..., None, :], scale[..., None]
            square = square + (first != second) / scale.square()
        return square.clamp_min(1e-30).sqrt()


def fit(space: Space, history: History) -> SingleTaskGP:
    """Fit a model's hyperparameters to a history, and condition it on all of it."""
    related = np.arange(history.own, len(history.rows))
    chosen = np.concatenate([_telling(history.objectives[: history.own], _FIT_TRIALS - len(related)), related])
    model = _prior(space, torch.from_numpy(history.rows[chosen]), torch.from_numpy(history.objectives[chosen]))
    likelihood = ExactMarginalLogLikelihood(model.likelihood, model).train()
    fit_gpytorch_mll_scipy(likelihood, options={"maxiter": _FIT_STEPS, "gtol": 1e-3})
    likelihood.eval()
    if len(chosen) < len(history.objectives):
        condition(model, torch.from_numpy(history.rows), torch.from_numpy(history.objectives))
    return model


def condition(model: SingleTaskGP, rows: torch.Tensor, utilities: torch.Tensor) -> None:
    """Let a fitted model predict from these trials; its hyperparameters stay as they are."""
    model.set_train_data(rows, utilities, strict=False)


def _prior(space: Space, rows: torch.Tensor, objectives: torch.Tensor) -> SingleTaskGP:
    """Return a model before its fit.

    Distances grow with the root of the number of parameters, and so do the length scales that are expected.
    """
    dimensions = rows.shape[1]
    lengthscale = LogNormalPrior(LENGTHSCALE[0] + 0.5 * math.log(dimensions), LENGTHSCALE[1])
    outputscale = LogNormalPrior(0.0, 1.0)
    noise = LogNormalPrior(*NOISE)
    kernel = MixedMatern(
        space,
        dimensions - len(space.parameters),
        lengthscale_prior=lengthscale,
        lengthscale_constraint=_positive(0.025, float(lengthscale.mode)),
    )
    return SingleTaskGP(
        rows,
        objectives[:, None],
        likelihood=GaussianLikelihood(noise_prior=noise, noise_constraint=_positive(1e-4, float(noise.mode))),
        covar_module=ScaleKernel(kernel, outputscale_prior=outputscale, outputscale_constraint=_positive(1e-3, 1.0)),
        outcome_transform=None,
    )


def _telling(objectives: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return the places of so many trials: a third of them are the best, the others every so many of the rest."""
    if len(objectives) <= most:
        return np.arange(len(objectives))
    order = np.argsort(-objectives, kind="stable")
    best, rest = np.split(order, [most // 3])
    sample = np.linspace(0, len(rest) - 1, most - len(best)).round().astype(np.int64)
    return np.sort(np.concatenate([best, rest[sample]]))


def _positive(minimum: float, initial: float) -> GreaterThan:
    """Fit the logarithm: that converges in a tenth of the steps."""
    return GreaterThan(minimum, transform=torch.exp, inv_transform=torch.log, initial_value=max(initial, 2 * minimum))
