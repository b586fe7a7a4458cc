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


@dataclass(frozen=True)
class History:
    """What a job has tried, in an order that does not depend on that of its arrival.

    Attributes:
        rows: Finished trials, encoded, shape (trials, parameters).
        objectives: Their utilities, standardised, higher is better, shape (trials,).
        pending: Unfinished trials, encoded, shape (pending, parameters).
        tried: All finished trials, also where they are too many for a model, shape (tried, parameters).
    """

    rows: NDArray[np.float64]
    objectives: NDArray[np.float64]
    pending: NDArray[np.float64]
    tried: NDArray[np.float64]

    @classmethod
    def of(cls, request: SuggestRequest) -> History:
        """Encode a request's history."""
        space = request.space
        trials = sorted(
            ((space.key(seen.parameters), seen) for seen in request.observations),
            key=lambda pair: (pair[0], pair[1].objective is None, repr(pair[1].objective)),
        )
        rows = space.encode([seen.parameters for _, seen in trials])
        objectives = utilities(request.goal, [seen.objective for _, seen in trials])
        chosen = _telling(objectives, _MODEL_TRIALS)
        return cls(
            rows=rows[chosen],
            objectives=objectives[chosen],
            pending=space.encode(sorted(request.pending, key=space.key)),
            tried=rows,
        )


class MixedMatern(Kernel):
    """Matérn-5/2 over numbers and categories, with one length scale per parameter.

    Two different categories are at distance 1, whatever their number: a category is a corner of a simplex.
    """

    has_lengthscale = True

    def __init__(self, space: Space, **kwargs: Any) -> None:
        super().__init__(ard_num_dims=len(space.parameters), **kwargs)
        # A category of two values needs no columns of its own: 0 and 1 are at distance 1 already.
        self._corners = {
            place: parameter.levels
            for place, parameter in enumerate(space.parameters)
            if isinstance(parameter, Categorical) and parameter.levels > 2  # noqa: PLR2004
        }
        self._plain = [place for place in range(len(space.parameters)) if place not in self._corners]

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **params: Any) -> torch.Tensor:
        """Return the covariance of rows, without regard to what a category's number is."""
        distance = self.covar_dist(self._scaled(x1), self._scaled(x2), diag=diag, **params)
        root = 5**0.5 * distance
        return (1 + root + root.square() / 3) * torch.exp(-root)

    def _scaled(self, x: torch.Tensor) -> torch.Tensor:
        columns = [x[..., self._plain] / self.lengthscale[..., self._plain]]
        for place, levels in self._corners.items():
            corner = torch.nn.functional.one_hot(x[..., place].round().long(), levels).to(x) / 2**0.5
            columns.append(corner / self.lengthscale[..., place, None])
        return torch.cat(columns, dim=-1)


def fit(space: Space, history: History) -> SingleTaskGP:
    """Fit a model's hyperparameters to a history, and condition it on all of it."""
    chosen = _telling(history.objectives, _FIT_TRIALS)
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
    lengthscale = LogNormalPrior(LENGTHSCALE[0] + 0.5 * math.log(len(space.parameters)), LENGTHSCALE[1])
    outputscale = LogNormalPrior(0.0, 1.0)
    noise = LogNormalPrior(*NOISE)
    kernel = MixedMatern(
        space, lengthscale_prior=lengthscale, lengthscale_constraint=_positive(0.025, float(lengthscale.mode))
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
