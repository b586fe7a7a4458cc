"""What a point promises: the expected improvement over the best trial, on average over what is not known of trials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from botorch.acquisition import AcquisitionFunction, LogExpectedImprovement
from botorch.models.model import Model
from botorch.posteriors import TorchPosterior
from botorch.sampling.qmc import NormalQMCEngine
from linear_operator.utils.cholesky import psd_safe_cholesky

if TYPE_CHECKING:
    from tuning_operator.core.suggest.model import Process

_SAMPLES = 16
_JITTER = 1e-6
"""Of the objective's variance: what is without noise is not quite."""


class Fantasies(Model):
    """Processes that know the noise of finished trials and the ends of unfinished ones, a sample of them each.

    Samples are drawn by Matheron's rule: from the prior, and moved to what was measured (Wilson et al., ICML 2020).

    Attributes:
        best: The best of the job's own points, also of unfinished ones, shape (samples,).
    """

    num_outputs = 1

    def __init__(self, process: Process, pending: torch.Tensor) -> None:
        """Draw samples, given unfinished trials of shape (pending, columns)."""
        super().__init__()
        self._process, history = process, process.history
        points = torch.cat([torch.from_numpy(history.rows), pending])
        trials, identity = len(history.rows), torch.eye(len(points), dtype=points.dtype)
        self._known = process.place(points)
        covariance = process.covariance(self._known, self._known)
        root = psd_safe_cholesky(covariance + _JITTER * process.variance * identity)
        normal = NormalQMCEngine(len(points) + trials, seed=0).draw(_SAMPLES, dtype=points.dtype).T
        sampled = root @ normal[: len(points)]
        noise = process.noise.sqrt()[:, None] * normal[len(points) :]
        missing = process.residuals[:, None] - sampled[:trials] - noise
        sampled = sampled + covariance[:, :trials] @ (process.inverse @ missing)
        self._whiten = torch.linalg.solve_triangular(root, identity, upper=False)
        self._solved = self._whiten.T @ (self._whiten @ sampled)
        self.best = process.mean + torch.cat([sampled[: history.own], sampled[trials:]]).amax(0)

    @property
    def batch_shape(self) -> torch.Size:
        """The number of samples."""
        return self.best.shape

    def posterior(self, X: torch.Tensor, *_rest: Any, **_params: Any) -> TorchPosterior:  # noqa: N803 - BoTorch's name
        """Return what single points come to.

        Args:
            X: Points, shape (points, 1, 1, columns); the second dimension stands for the samples.

        Returns:
            Independent normal distributions, shape (points, samples, 1, 1).
        """
        covariance = self._process.covariance(self._process.place(X[:, 0, 0]), self._known)
        means = self._process.mean + covariance @ self._solved
        explained = (covariance @ self._whiten.T).square().sum(-1, keepdim=True)
        variances = (self._process.variance * (1 + _JITTER) - explained).clamp_min(1e-10)
        spreads = variances.sqrt().expand_as(means)
        shaped = torch.distributions.Normal(means[..., None, None], spreads[..., None, None], validate_args=False)
        return TorchPosterior(shaped)


class Promise(AcquisitionFunction):
    """Log expected improvement, the mean over samples (Letham et al., Bayesian Analysis 14, 2019)."""

    def __init__(self, fantasies: Fantasies) -> None:
        super().__init__(fantasies)
        self._improvement = LogExpectedImprovement(fantasies, best_f=fantasies.best[:, None])

    def forward(self, X: torch.Tensor) -> torch.Tensor:  # noqa: N803 - BoTorch's name
        """Return what points promise, shape (points,), for points of shape (points, 1, columns)."""
        promises: torch.Tensor = self._improvement(X[:, None])
        return promises.logsumexp(-1) - math.log(promises.shape[-1])
