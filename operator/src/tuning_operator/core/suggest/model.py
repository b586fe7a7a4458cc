"""The Gaussian process: what is known of a job's trials, and how a new one would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.optim.batched_lbfgs_b import fmin_l_bfgs_b_batched
from linear_operator.utils.cholesky import psd_safe_cholesky

from tuning_operator.core.suggest.density import Density, likeliest_mean
from tuning_operator.core.suggest.history import telling
from tuning_operator.core.suggest.kernel import Hyperparameters, Kernel

if TYPE_CHECKING:
    from tuning_operator.core.space import Space
    from tuning_operator.core.suggest.history import History

CLEARLY = 3.0
"""How much higher the log density must be on bent scales for these to take the place of those that were given."""

_FIT = {"maxiter": 40, "pgtol": 1e-3, "ftol": 1e-4, "factr": None}
"""When a fit ends, by the logarithm of the density of one trial."""

_FIT_TRIALS = 300
"""Hyperparameters are fitted to no more trials than this, own and related."""


class Process:
    """A fitted process, and what it knows of a history.

    Its equations are written out: GPyTorch's posterior of a few points takes longer to prepare than to compute.

    Attributes:
        history: What it knows.
        hyperparameters: What was fitted.
        known: Where the history's rows lie, shape (rows, places).
        inverse: Of the covariance of what they came to, with noise, shape (rows, rows).
        mean: What is expected far from all of them.
        residuals: What they came to, less the mean, shape (rows,).
        noise: Its variance, shape (rows,).
        variance: Of an own point far from all rows.
    """

    def __init__(self, kernel: Kernel, found: Hyperparameters, history: History) -> None:
        self._kernel, self.hyperparameters = kernel, found
        self.history = history
        self.variance = found.outputscale.squeeze()
        self.known = self.place(torch.from_numpy(history.rows))
        self.noise = kernel.noise(self.known, found)
        covariance = self.covariance(self.known, self.known) + torch.diag(self.noise)
        self.inverse = torch.cholesky_inverse(psd_safe_cholesky(covariance))
        objectives = torch.from_numpy(history.objectives)
        self.mean = likeliest_mean(self.inverse, objectives).squeeze()
        self.residuals = objectives - self.mean

    def place(self, rows: torch.Tensor) -> torch.Tensor:
        """Return where rows lie, shape (rows, places)."""
        return self._kernel.place(rows, self.hyperparameters.bends)

    @property
    def bends(self) -> torch.Tensor:
        """What bends the scales of all parameters, shape (parameters,); categories' are straight."""
        bends = torch.zeros(self.history.tried.shape[1], dtype=self.known.dtype)
        bends[self._kernel.numbers] = self.hyperparameters.bends[0]
        return bends

    @property
    def correlations(self) -> list[float]:
        """That of each related job with this one: 1 for the same, 0 for a stranger, -1 for the reverse."""
        found: list[float] = self.hyperparameters.correlations[0].tolist()
        return found

    def covariance(self, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return what placed rows have in common, shape (rows of the one, rows of the other)."""
        return self.variance * self._kernel.covariance(one, other, self.hyperparameters)


def fit(space: Space, history: History) -> Process:
    """Fit hyperparameters to a history, and let a process know all of that."""
    related = np.arange(history.own, len(history.rows))
    chosen = np.concatenate([telling(history.objectives[: history.own], _FIT_TRIALS - len(related)), related])
    kernel = Kernel(space, history.rows.shape[1] - len(space.parameters))
    density = Density(kernel, torch.from_numpy(history.rows[chosen]), torch.from_numpy(history.objectives[chosen]))
    found, unlikely, _ = fmin_l_bfgs_b_batched(
        density, density.start(), density.bounds(), pass_batch_indices=True, **_FIT
    )
    gains = (unlikely[0] - unlikely) * len(chosen)
    best = int(gains.argmax()) if gains.max() > CLEARLY else 0
    with torch.no_grad():
        return Process(kernel, density.read(torch.from_numpy(found), range(len(found)))[best], history)
