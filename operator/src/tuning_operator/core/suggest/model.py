"""The Gaussian process: what is known of a job's trials, and how a new one would do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.models import SingleTaskGP
from botorch.optim.fit import fit_gpytorch_mll_scipy
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior
from linear_operator.utils.cholesky import psd_safe_cholesky

from tuning_operator.core.suggest.history import telling
from tuning_operator.core.suggest.kernel import MixedMatern

if TYPE_CHECKING:
    from tuning_operator.core.space import Space
    from tuning_operator.core.suggest.history import History

LENGTHSCALE = (0.0, 0.6)
"""Location and scale of the log-normal prior of a length scale, in units of the root of the number of parameters."""

NOISE = (-5.0, 1.0)
"""Location and scale of the log-normal prior of the noise's variance; utilities have variance 1."""

_FIT_STEPS = 50

_FIT_TRIALS = 300
"""Hyperparameters are fitted to no more trials than this, own and related."""


class Process:
    """A fitted process, and what it knows of a history.

    Its equations are written out: GPyTorch's posterior of a few points takes longer to prepare than to compute.

    Attributes:
        known: The history's rows, shape (rows, columns).
        inverse: Of the covariance of what they came to, with noise, shape (rows, rows).
        mean: What is expected far from all of them.
        residuals: What they came to, less the mean, shape (rows,).
        noise: Its variance.
        variance: Of an own point far from all rows.
    """

    def __init__(self, fitted: SingleTaskGP, history: History) -> None:
        fitted.requires_grad_(False)  # from here on gradients are those of points
        self._kernel = fitted.covar_module.base_kernel
        self.variance: torch.Tensor = fitted.covar_module.outputscale
        self.noise: torch.Tensor = fitted.likelihood.noise
        self.mean: torch.Tensor = fitted.mean_module.constant
        self.known = torch.from_numpy(history.rows)
        self.residuals = torch.from_numpy(history.objectives) - self.mean
        covariance = self.covariance(self.known, self.known) + torch.diag(self.noise.expand(len(self.known)))
        self.inverse = torch.cholesky_inverse(psd_safe_cholesky(covariance))

    def covariance(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return what rows have in common, shape (rows of the one, rows of the other)."""
        covariance: torch.Tensor = self.variance * self._kernel.forward(one, other)
        return covariance


def fit(space: Space, history: History) -> Process:
    """Fit a process's hyperparameters to a history, and let it know all of that."""
    related = np.arange(history.own, len(history.rows))
    chosen = np.concatenate([telling(history.objectives[: history.own], _FIT_TRIALS - len(related)), related])
    model = _prior(space, torch.from_numpy(history.rows[chosen]), torch.from_numpy(history.objectives[chosen]))
    likelihood = ExactMarginalLogLikelihood(model.likelihood, model).train()
    fit_gpytorch_mll_scipy(likelihood, options={"maxiter": _FIT_STEPS, "gtol": 1e-3})
    likelihood.eval()
    with torch.no_grad():
        return Process(model, history)


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


def _positive(minimum: float, initial: float) -> GreaterThan:
    """Fit the logarithm: that converges in a tenth of the steps."""
    return GreaterThan(minimum, transform=torch.exp, inv_transform=torch.log, initial_value=max(initial, 2 * minimum))
