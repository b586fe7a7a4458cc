"""The Gaussian process: what is known of a job's trials, and how a new one would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import get_gaussian_likelihood_with_lognormal_prior
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior

from tuning_operator.core.space import Categorical
from tuning_operator.core.suggest.outcomes import utilities

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tuning_operator.core.space import Space
    from tuning_operator.core.suggest.request import SuggestRequest


@dataclass(frozen=True)
class History:
    """What a job has tried, in an order that does not depend on that of its arrival.

    Attributes:
        rows: Finished trials, encoded, shape (trials, parameters).
        objectives: Their utilities, standardised, higher is better, shape (trials,).
        pending: Unfinished trials, encoded, shape (pending, parameters).
    """

    rows: NDArray[np.float64]
    objectives: NDArray[np.float64]
    pending: NDArray[np.float64]

    @classmethod
    def of(cls, request: SuggestRequest) -> History:
        """Encode a request's history."""
        space = request.space
        trials = sorted(
            ((space.key(seen.parameters), seen) for seen in request.observations),
            key=lambda pair: (pair[0], pair[1].objective is None, repr(pair[1].objective)),
        )
        pending = sorted(request.pending, key=space.key)
        return cls(
            rows=space.encode([seen.parameters for _, seen in trials]),
            objectives=utilities(request.goal, [seen.objective for _, seen in trials]),
            pending=space.encode(pending),
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
    """Fit a model's hyperparameters to a history."""
    dimensions = len(space.parameters)
    prior = LogNormalPrior(2**0.5 + 0.5 * torch.log(torch.tensor(float(dimensions))), 3**0.5)
    kernel = MixedMatern(
        space,
        lengthscale_prior=prior,
        lengthscale_constraint=GreaterThan(0.025, transform=None, initial_value=prior.mode),
    )
    model = SingleTaskGP(
        torch.from_numpy(history.rows),
        torch.from_numpy(history.objectives)[:, None],
        likelihood=get_gaussian_likelihood_with_lognormal_prior(),
        covar_module=kernel,
        outcome_transform=None,
    )
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model
