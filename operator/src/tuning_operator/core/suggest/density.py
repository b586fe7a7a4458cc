"""How likely hyperparameters are, given what trials came to: what a fit maximises."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from linear_operator.utils.cholesky import psd_safe_cholesky

from tuning_operator.core.suggest.kernel import Hyperparameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tuning_operator.core.suggest.kernel import Kernel

LENGTHSCALE = (0.0, 0.6)
"""Location and scale of the log-normal prior of a length scale, in units of the root of the number of parameters."""

BEND = 2.0
"""Scale of the Cauchy prior of what bends a suspected scale: straight, or bent a lot."""

_MOST_BENT = 14.0
"""As the logarithm of what spans a millionfold."""

NOISE = (-5.0, 1.0)
"""Location and scale of the log-normal prior of the noise's variance; utilities have variance 1."""

OUTPUTSCALE = (0.0, 1.0)
"""The same of the objective's variance."""

CORRELATION = (0.5, 1.0)
"""Mean and scale of the normal prior of a related job's correlation, as its inverse hyperbolic tangent."""

EXTRA_NOISE = (-3.0, 1.5)
"""Mean and scale of the normal prior of a related job's extra noise, as the logarithm of its variance."""

_LEAST = {"scale": 0.025, "outputscale": 1e-3, "noise": 1e-4}
"""No process is rougher, flatter or freer of noise."""


class Density:
    """How unlikely data and hyperparameters are together, a trial: what a fit minimises.

    Of a process on scales as they are given and, if some of these are suspected, of another one that bends those. They
    are fitted together.
    """

    def __init__(self, kernel: Kernel, rows: torch.Tensor, targets: torch.Tensor) -> None:
        """Take a kernel, and trials: rows of shape (trials, columns), and what they came to, shape (trials,)."""
        self._kernel, self._rows, self._targets = kernel, rows, targets
        columns = kernel.columns
        location = LENGTHSCALE[0] + 0.5 * math.log(columns)
        self._locations = torch.tensor([*[location] * columns, OUTPUTSCALE[0], NOISE[0]], dtype=rows.dtype)
        self._spreads = torch.tensor([*[LENGTHSCALE[1]] * columns, OUTPUTSCALE[1], NOISE[1]], dtype=rows.dtype)
        least = [*[_LEAST["scale"]] * columns, _LEAST["outputscale"], _LEAST["noise"]]
        self._least = torch.tensor(least, dtype=rows.dtype).log()
        bends = torch.tensor([kernel.suspected], dtype=rows.dtype).clamp_max(_MOST_BENT)
        self._bends = torch.cat([torch.zeros_like(bends), *([bends] if bends.any() else [])])

    def start(self) -> NDArray[np.float64]:
        """Return where a fit starts, at modes of the priors and suspected bends, shape (processes, hyperparameters)."""
        modes = torch.maximum(self._locations - self._spreads.square(), self._least + math.log(2))
        related = torch.tensor([CORRELATION[0], EXTRA_NOISE[0]], dtype=modes.dtype).repeat_interleave(
            self._kernel.relatives
        )
        several = len(self._bends)
        found = torch.cat([modes.expand(several, -1), self._bends, related.expand(several, -1)], dim=-1)
        flat: NDArray[np.float64] = found.numpy()
        return flat

    def bounds(self) -> list[tuple[float | None, float | None]]:
        """Return the bounds of what is fitted.

        Most have none above: a search that is bounded on all sides begins with a step that can go too far.
        """
        positive = [(least, None) for least in self._least.tolist()]
        bends = [(0.0, _MOST_BENT)] * len(self._kernel.numbers)
        return [*positive, *bends, *[(None, None)] * (2 * self._kernel.relatives)]

    @torch.no_grad()
    def __call__(
        self, flat: NDArray[np.float64], batch_indices: Sequence[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return values and gradients, shapes (processes,) and (processes, hyperparameters), of some processes."""
        raw = torch.from_numpy(flat)
        found = self.read(raw, batch_indices)
        placed = self._kernel.place(self._rows, found.bends)
        signal = found.outputscale * self._kernel.covariance(placed, placed, found)
        root = psd_safe_cholesky(signal + torch.diag_embed(self._kernel.noise(placed, found)))
        inverse = torch.cholesky_inverse(root)
        solved = inverse @ (self._targets[:, None] - likeliest_mean(inverse, self._targets))
        fits = (self._targets @ solved)[..., 0] / 2 + root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        slope = (inverse - solved @ solved.transpose(-1, -2)) / 2  # over each covariance
        over_scales, over_bends, over_related = self._kernel.slopes(
            self._rows, placed, found, found.outputscale * slope
        )
        over_outputscale = (slope * signal).sum((-2, -1))
        over_noises = slope.diagonal(dim1=-2, dim2=-1)
        over_noise = found.noise[..., 0, 0] * over_noises.sum(-1)
        over_extra = found.extra_noise[:, 0] * (over_noises[..., None] * self._kernel.switches(placed)).sum(-2)
        over_bends = over_bends * (self._bends[batch_indices] > 0)
        over_related = over_related * (1 - found.correlations[:, 0].square())
        positive = [over_scales, over_outputscale[:, None], over_noise[:, None]]
        slopes = torch.cat([*positive, over_bends, over_related, over_extra], dim=-1)
        unlikely, more = self._unlikely(raw)
        size = len(self._rows)
        return ((fits + unlikely) / size).numpy(), ((slopes + more) / size).numpy()

    def read(self, raw: torch.Tensor, processes: Sequence[int]) -> Hyperparameters:
        """Return what numbers stand for: mostly logarithms, over which a fit takes far fewer steps."""
        positive, bends, related, extra = self._split(raw)
        scales, outputscale, noise = positive.exp().split([self._kernel.columns, 1, 1], dim=-1)
        bends = bends * (self._bends[processes] > 0)
        found = (scales, outputscale, noise, bends, related.tanh(), extra.exp())
        return Hyperparameters(*(each[:, None] for each in found))

    def _unlikely(self, raw: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logarithm of the priors' density, less a constant and negative, and its slopes."""
        positive, bends, related, extra = self._split(raw)
        away = (positive - self._locations) / self._spreads
        related, extra = (related - CORRELATION[0]) / CORRELATION[1], (extra - EXTRA_NOISE[0]) / EXTRA_NOISE[1]
        value = (away.square() / 2 + positive).sum(-1) + (bends / BEND).square().log1p().sum(-1)
        value = value + (related.square() + extra.square()).sum(-1) / 2
        over_bends = 2 * bends / (BEND**2 + bends.square())
        slopes = [away / self._spreads + 1, over_bends, related / CORRELATION[1], extra / EXTRA_NOISE[1]]
        return value, torch.cat(slopes, dim=-1)

    def _split(self, raw: torch.Tensor) -> tuple[torch.Tensor, ...]:
        kernel = self._kernel
        return raw.split([kernel.columns + 2, len(kernel.numbers), kernel.relatives, kernel.relatives], dim=-1)


def likeliest_mean(inverse: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the likeliest constant mean, shape (..., 1, 1)."""
    weights = inverse.sum(-1, keepdim=True)
    return (weights * targets[:, None]).sum(-2, keepdim=True) / weights.sum(-2, keepdim=True)
