"""How much two points of a space have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from gpytorch.kernels import Kernel
from torch.nn.functional import one_hot

from tuning_operator.core.space import Categorical

if TYPE_CHECKING:
    from tuning_operator.core.space import Space


class MixedMatern(Kernel):
    """Matérn-5/2 over numbers and categories, with one length scale per parameter.

    Two different categories are at distance 1, whatever their number: a category is a corner of a simplex. So is a
    related job, at the other end of its switch, whose length scale says how much it has in common with this one. Each
    has a level of its own besides: utilities say nothing about how good its trials are in comparison with others.
    """

    has_lengthscale = True

    def __init__(self, space: Space, relatives: int, **kwargs: Any) -> None:
        """Build a kernel of rows whose first columns are a space's parameters; a switch for each relative follows."""
        columns = len(space.parameters) + relatives
        super().__init__(ard_num_dims=columns, **kwargs)
        self._levels = {
            place: parameter.levels
            for place, parameter in enumerate(space.parameters)
            if isinstance(parameter, Categorical)
        }
        self._numbers = [place for place in range(columns) if place not in self._levels]
        self._switches = slice(len(self._numbers) - relatives, len(self._numbers))
        owners = [place for place, levels in self._levels.items() for _ in range(levels)]
        self._owners = torch.tensor([*self._numbers, *owners])

    def forward(self, x1: torch.Tensor, x2: torch.Tensor, diag: bool = False, **_params: Any) -> torch.Tensor:
        """Return the covariance of rows, without regard to what a category's number is."""
        one, other = self._place(x1), self._place(x2)
        spread = self.lengthscale[..., self._owners]
        root = 5**0.5 * self._distance(one / spread, other / spread, diag)
        matern: torch.Tensor = (1 + root + root.square() / 3) * torch.exp(-root)
        one, other = one[..., self._switches], other[..., self._switches]
        return matern + ((one * other).sum(-1) if diag else one @ other.transpose(-1, -2))

    def _place(self, rows: torch.Tensor) -> torch.Tensor:
        """Return where rows lie, their categories at the corners of simplices."""
        corners = [one_hot(rows[..., place].long(), levels).to(rows) / 2**0.5 for place, levels in self._levels.items()]
        return torch.cat([rows[..., self._numbers], *corners], dim=-1)

    @staticmethod
    def _distance(one: torch.Tensor, other: torch.Tensor, diag: bool) -> torch.Tensor:
        """Return distances; GPyTorch's `covar_dist` takes three times as long for the few rows of most jobs."""
        if diag:
            square = (one - other).square().sum(-1)
        else:
            square = one.square().sum(-1)[..., :, None] + other.square().sum(-1)[..., None, :]
            square = square - 2 * one @ other.transpose(-1, -2)
        return square.clamp_min(1e-20).sqrt()
