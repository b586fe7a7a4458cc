"""Our model with its hyperparameters averaged over, in place of their one most probable value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from botorch.models import SingleTaskGP
from botorch.posteriors.fully_bayesian import MCMC_DIM, GaussianMixturePosterior
from gpytorch.kernels import ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.means import ConstantMean
from torch.quasirandom import SobolEngine

from tuning_operator.core.suggest import model

if TYPE_CHECKING:
    from tuning_operator.core.space import Space

MEMBERS, DRAWN = 8, 128
_WIDER = 1.2  # than the normal approximation, whose tails are too thin
_FLATTEST = 0.3  # curvature: where the data say nothing the approximation must not go to infinity
_STEP = 1e-3


class Averaged(SingleTaskGP):  # type: ignore[misc]
    """Several models, each with its own hyperparameters; acquisition functions take the mean over them."""

    _is_ensemble = True
    _supports_batched_models = False

    def posterior(self, X: torch.Tensor, *rest: Any, **params: Any) -> GaussianMixturePosterior:  # noqa: N803 - BoTorch's
        return GaussianMixturePosterior(super().posterior(X.unsqueeze(MCMC_DIM), *rest, **params).distribution)


def fit_averaged(space: Space, history: model.History) -> Averaged:
    """Draw hyperparameters from a normal approximation around their mode, and choose by what they are worth.

    The approximation is Laplace's, in logarithms; of many draws the posterior density, as a share of the
    approximation's, chooses a few (sampling, importance resampling: Rubin 1988).
    """
    rows, utilities = torch.from_numpy(history.rows), torch.from_numpy(history.objectives)
    fitted = _FIT(space, history)
    mode = torch.cat([parameter.detach().reshape(-1) for parameter in _parameters(fitted)])
    steps = _STEP * torch.eye(len(mode), dtype=torch.float64)
    around = _Batch(space, fitted, rows, utilities, torch.cat([mode + steps, mode - steps]))
    after, before = around.gradient().split(len(mode))
    curvature = (before - after) / (2 * _STEP)
    values, vectors = torch.linalg.eigh((curvature + curvature.T) / 2)
    normal = torch.distributions.Normal(0.0, 1.0)
    uniform = SobolEngine(len(mode), scramble=True, seed=0).draw(DRAWN, dtype=torch.float64)
    draws = normal.icdf(uniform.clamp(1e-6, 1 - 1e-6))
    points = mode + draws @ (vectors * _WIDER / values.clamp_min(_FLATTEST).sqrt()).T
    with torch.no_grad():
        density = _Batch(space, fitted, rows, utilities, points).density()
        worth = torch.softmax(torch.nan_to_num(density + draws.square().sum(-1) / 2, nan=-math.inf), 0)
    places = (torch.arange(MEMBERS, dtype=torch.float64) + 0.5) / MEMBERS
    chosen = torch.searchsorted(worth.cumsum(0), places).clamp_max(DRAWN - 1)
    averaged = _Batch(space, fitted, rows, utilities, points[chosen], Averaged).model
    averaged.eval()
    return averaged


class _Batch:
    """Models of the same data with a fitted one's priors and bounds.

    There is one for each row of raw hyperparameters: noise, mean, output scale, length scales.
    """

    def __init__(
        self,
        space: Space,
        fitted: SingleTaskGP,
        rows: torch.Tensor,
        utilities: torch.Tensor,
        raw: torch.Tensor,
        kind: type[SingleTaskGP] = SingleTaskGP,
    ) -> None:
        count, width = raw.shape[0], rows.shape[1]
        batch = torch.Size([count])
        noise, scale = fitted.likelihood.noise_covar, fitted.covar_module
        length = scale.base_kernel
        kernel = model.MixedMatern(
            space,
            width - len(space.parameters),
            batch_shape=batch,
            lengthscale_constraint=length.raw_lengthscale_constraint,
        )
        self.model = kind(
            rows.expand(count, *rows.shape),
            utilities[:, None].expand(count, len(utilities), 1),
            likelihood=GaussianLikelihood(noise_constraint=noise.raw_noise_constraint, batch_shape=batch),
            covar_module=ScaleKernel(
                kernel, outputscale_constraint=scale.raw_outputscale_constraint, batch_shape=batch
            ),
            mean_module=ConstantMean(batch_shape=batch),
            outcome_transform=None,
        )
        self._priors = (noise.noise_prior, scale.outputscale_prior, length.lengthscale_prior)
        self._bounds = (
            noise.raw_noise_constraint.lower_bound,
            scale.raw_outputscale_constraint.lower_bound,
            length.raw_lengthscale_constraint.lower_bound,
        )
        with torch.no_grad():
            for parameter, part in zip(_parameters(self.model), raw.split([1, 1, 1, width], dim=1), strict=True):
                parameter.copy_(part.reshape(parameter.shape))

    def density(self) -> torch.Tensor:
        """Return the logarithm of the posterior density of raw hyperparameters, up to a constant, shape (count,)."""
        self.model.train()
        total = self.model.likelihood(self.model(*self.model.train_inputs)).log_prob(self.model.train_targets)
        kernel = self.model.covar_module
        values = (
            self.model.likelihood.noise_covar.noise,
            kernel.outputscale[:, None],
            kernel.base_kernel.lengthscale.squeeze(-2),
        )
        for value, prior, bound in zip(values, self._priors, self._bounds, strict=True):
            total = total + (prior.log_prob(value) + (value - bound).log()).sum(-1)
        return total

    def gradient(self) -> torch.Tensor:
        """Return the gradient of each model's density, shape (count, hyperparameters)."""
        parameters = _parameters(self.model)
        gradients = torch.autograd.grad(self.density().sum(), parameters)
        return torch.cat([part.reshape(len(part), -1) for part in gradients], dim=1)


def _parameters(fitted: SingleTaskGP) -> list[torch.nn.Parameter]:
    kernel = fitted.covar_module
    return [
        fitted.likelihood.noise_covar.raw_noise,
        fitted.mean_module.raw_constant,
        kernel.raw_outputscale,
        kernel.base_kernel.raw_lengthscale,
    ]


_FIT = model.fit
