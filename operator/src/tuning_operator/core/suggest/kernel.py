"""How much two points of a space have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from tuning_operator.core.space import Categorical, Scale
from tuning_operator.core.space.scales import AUTO_LOG_RATIO

if TYPE_CHECKING:
    from tuning_operator.core.space import Parameter, Space

_STRAIGHT = 1e-3
"""A scale that is bent less than this is not bent."""


@dataclass(frozen=True)
class Hyperparameters:
    """Those of a process, or of several along a first dimension.

    Attributes:
        scales: Length scales, shape (..., 1, columns).
        outputscale: The objective's variance, shape (..., 1, 1).
        noise: Its noise's variance, shape (..., 1, 1).
        bends: What bends each number's scale, shape (..., 1, numbers).
    """

    scales: torch.Tensor
    outputscale: torch.Tensor
    noise: torch.Tensor
    bends: torch.Tensor

    def __getitem__(self, place: int) -> Hyperparameters:
        """Return those of one process."""
        return Hyperparameters(self.scales[place], self.outputscale[place], self.noise[place], self.bends[place])


class Kernel:
    """Matérn-5/2 over numbers and categories, with one length scale per parameter, on scales that may be bent.

    Two different categories are at distance 1, whatever their number: a category is a corner of a simplex. So is a
    related job, at the other end of its switch, whose length scale says how much it has in common with this one. Each
    has a level of its own besides: utilities say nothing about how good its trials are in comparison with others.

    Attributes:
        columns: Parameters and relatives, of which each has a length scale.
        numbers: The places of the parameters that are numbers.
        suspected: What bends each of these as a logarithm, if its scale is linear over decades; else 0.
    """

    def __init__(self, space: Space, relatives: int) -> None:
        """Build a kernel of rows whose first columns are a space's parameters; a switch for each relative follows."""
        parameters = len(space.parameters)
        self.columns = parameters + relatives
        self._levels = {
            place: parameter.levels
            for place, parameter in enumerate(space.parameters)
            if isinstance(parameter, Categorical)
        }
        self.numbers = [place for place in range(parameters) if place not in self._levels]
        self.suspected = [_span(space.parameters[place]) for place in self.numbers]
        switches = range(parameters, self.columns)
        self._columns = torch.tensor([*self.numbers, *switches], dtype=torch.long)
        self._switches = slice(len(self.numbers), len(self._columns))
        owners = [place for place, levels in self._levels.items() for _ in range(levels)]
        self._owners = torch.tensor([*self.numbers, *switches, *owners])

    def place(self, rows: torch.Tensor, bends: torch.Tensor) -> torch.Tensor:
        """Return where rows lie: numbers on their bent scales, categories at the corners of a simplex.

        Args:
            rows: Shape (rows, columns).
            bends: Of each of `numbers`, shape (..., 1, numbers).

        Returns:
            Shape (..., rows, places).
        """
        continuing = rows[:, self._columns]
        numbers, switches = continuing[:, : len(self.numbers)], continuing[:, self._switches]
        inside = numbers.clamp(0.0, 1.0)
        bent = numbers + (bend(inside, bends) - inside)  # what is out of a range stays as far out
        corners = [
            torch.nn.functional.one_hot(rows[:, place].long(), levels).to(rows) / 2**0.5
            for place, levels in self._levels.items()
        ]
        others = torch.cat([switches, *corners], dim=-1)
        return torch.cat([bent, others.expand(*bent.shape[:-1], -1)], dim=-1)

    def covariance(self, one: torch.Tensor, other: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
        """Return what placed rows have in common, shape (..., rows of the one, rows of the other).

        Args:
            one: Shape (..., rows, places).
            other: The same.
            scales: Length scales of all columns, shape (..., 1, columns).
        """
        spread = scales[..., self._owners]
        root = _roots(one / spread, other / spread)
        covariance: torch.Tensor = (1 + root + root.square() / 3) * torch.exp(-root)
        return covariance + one[..., self._switches] @ other[..., self._switches].transpose(-1, -2)

    def slopes(
        self, rows: torch.Tensor, placed: torch.Tensor, hyperparameters: Hyperparameters, slope: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the slopes of a function of rows' covariance over the logarithms of length scales, and over bends.

        In closed form: to have torch derive them takes three times as long.

        Args:
            rows: Shape (rows, columns).
            placed: Where they lie, shape (..., rows, places).
            hyperparameters: Length scales and bends.
            slope: That over each covariance, symmetric, shape (..., rows, rows).

        Returns:
            Shapes (..., columns) and (..., numbers).
        """
        spread = hyperparameters.scales[..., self._owners]
        scaled = placed / spread
        root = _roots(scaled, scaled)
        over_squares = slope * (-5 / 6) * (1 + root) * torch.exp(-root)
        over_scaled = 4 * (over_squares.sum(-1, keepdim=True) * scaled - over_squares @ scaled)
        over_spreads = -(over_scaled * scaled).sum(-2)
        over_scales = over_spreads.new_zeros(*over_spreads.shape[:-1], self.columns)
        over_scales.index_add_(-1, self._owners, over_spreads)
        over_placed = (over_scaled / spread)[..., : len(self.numbers)]
        return over_scales, (over_placed * _bend_slope(rows[:, self.numbers], hyperparameters.bends)).sum(-2)


def bend(places: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Return where places of [0, 1] lie on bent scales.

    By b stretches the lower end as the logarithm of what spans exp(b)-fold does; a negative b stretches the upper end.
    """
    if not by.any():
        return places
    wide = torch.where(by.abs() < _STRAIGHT, 1.0, by)
    return torch.where(by.abs() < _STRAIGHT, places, torch.log1p(places * torch.expm1(wide)) / wide)


def straighten(bent: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Return the places of [0, 1] that lie so on bent scales: the inverse of `bend`."""
    if not by.any():
        return bent
    wide = torch.where(by.abs() < _STRAIGHT, 1.0, by)
    return torch.where(by.abs() < _STRAIGHT, bent, torch.expm1(bent * wide) / torch.expm1(wide))


def _span(parameter: Parameter) -> float:
    """Return the logarithm of how many times a linear range spans, if that is much, else 0."""
    if isinstance(parameter, Categorical) or parameter.minimum <= 0:
        return 0.0
    ratio = parameter.maximum / parameter.minimum
    linear = parameter.scale.resolve(parameter.minimum, parameter.maximum) is Scale.LINEAR
    return math.log(ratio) if linear and ratio >= AUTO_LOG_RATIO else 0.0


def _bend_slope(places: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Return how `bend` changes with what it bends by; nothing where it bends nothing, nor outside of [0, 1]."""
    wide = torch.where(by.abs() < _STRAIGHT, 1.0, by)
    inside = places.clamp(0.0, 1.0)
    slope = (inside * torch.exp(wide) / (1 + inside * torch.expm1(wide)) - bend(inside, wide)) / wide
    return torch.where(by.abs() < _STRAIGHT, 0.0, slope)


def _roots(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return the root of five times the squared distances; GPyTorch's `covar_dist` takes three times as long."""
    squares = one.square().sum(-1)[..., :, None] + other.square().sum(-1)[..., None, :]
    return (5 * (squares - 2 * one @ other.transpose(-1, -2))).clamp_min(1e-20).sqrt()
