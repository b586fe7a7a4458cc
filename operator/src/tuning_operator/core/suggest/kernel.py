"""How much two points of a space have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
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
        correlations: Of each related job's objective with this one's, shape (..., 1, relatives).
        extra_noise: The variance of the noise that each related job's trials have besides, shape (..., 1, relatives).
    """

    scales: torch.Tensor
    outputscale: torch.Tensor
    noise: torch.Tensor
    bends: torch.Tensor
    correlations: torch.Tensor
    extra_noise: torch.Tensor

    def __getitem__(self, place: int) -> Hyperparameters:
        """Return those of one process."""
        return Hyperparameters(*(getattr(self, each.name)[place] for each in fields(self)))


class Kernel:
    """Matérn-5/2 over numbers and categories, with one length scale per parameter, on scales that may be bent.

    Two different categories are at distance 1, whatever their number: a category is a corner of a simplex.

    A related job's objective is this job's, times their correlation, and for the rest its own (a linear model of
    coregionalization; Journel and Huijbregts, 1978). It has its own level, too: utilities say nothing about how
    good its trials are in comparison with others.

    Attributes:
        columns: Parameters, of which each has a length scale.
        relatives: How many related jobs there are.
        numbers: The places of the parameters that are numbers.
        suspected: What bends each of these as a logarithm, if its scale is linear over decades; else 0.
    """

    def __init__(self, space: Space, relatives: int) -> None:
        """Build a kernel of rows whose first columns are a space's parameters; a switch for each relative follows."""
        self.columns, self.relatives = len(space.parameters), relatives
        self._levels = {
            place: parameter.levels
            for place, parameter in enumerate(space.parameters)
            if isinstance(parameter, Categorical)
        }
        self.numbers = [place for place in range(self.columns) if place not in self._levels]
        self.suspected = [_span(space.parameters[place]) for place in self.numbers]
        owners = [place for place, levels in self._levels.items() for _ in range(levels)]
        self._owners = torch.tensor([*self.numbers, *owners])

    def place(self, rows: torch.Tensor, bends: torch.Tensor) -> torch.Tensor:
        """Return where rows lie: numbers on their bent scales, categories at the corners of a simplex; then switches.

        Args:
            rows: Shape (rows, columns).
            bends: Of each of `numbers`, shape (..., 1, numbers).

        Returns:
            Shape (..., rows, places).
        """
        numbers, switches = rows[:, self.numbers], rows[:, self.columns :]
        inside = numbers.clamp(0.0, 1.0)
        bent = numbers + (bend(inside, bends) - inside)  # what is out of a range stays as far out
        corners = [
            torch.nn.functional.one_hot(rows[:, place].long(), levels).to(rows) / 2**0.5
            for place, levels in self._levels.items()
        ]
        others = torch.cat([*corners, switches], dim=-1)
        return torch.cat([bent, others.expand(*bent.shape[:-1], -1)], dim=-1)

    def covariance(self, one: torch.Tensor, other: torch.Tensor, hyperparameters: Hyperparameters) -> torch.Tensor:
        """Return what placed rows have in common, in units of the output scale.

        Args:
            one: Shape (..., rows, places).
            other: The same.
            hyperparameters: Length scales and correlations.

        Returns:
            Shape (..., rows of the one, rows of the other).
        """
        spread = hyperparameters.scales[..., self._owners]
        root = _roots(one[..., : len(self._owners)] / spread, other[..., : len(self._owners)] / spread)
        covariance: torch.Tensor = (1 + root + root.square() / 3) * torch.exp(-root)
        if not self.relatives:
            return covariance
        levels = self.switches(one) @ self.switches(other).transpose(-1, -2)
        return covariance * self._correlation(one, other, hyperparameters.correlations) + levels

    def noise(self, placed: torch.Tensor, hyperparameters: Hyperparameters) -> torch.Tensor:
        """Return the variance of placed rows' noise, shape (..., rows)."""
        return hyperparameters.noise[..., 0] + (self.switches(placed) * hyperparameters.extra_noise).sum(-1)

    def slopes(
        self, rows: torch.Tensor, placed: torch.Tensor, hyperparameters: Hyperparameters, slope: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the slopes of a function of rows' covariance over logarithms of length scales, bends, correlations.

        In closed form: to have torch derive them takes three times as long.

        Args:
            rows: Shape (rows, columns).
            placed: Where they lie, shape (..., rows, places).
            hyperparameters: Length scales, bends and correlations.
            slope: That over each covariance, symmetric, shape (..., rows, rows).

        Returns:
            Shapes (..., columns), (..., numbers) and (..., relatives).
        """
        spread = hyperparameters.scales[..., self._owners]
        scaled = placed[..., : len(self._owners)] / spread
        root = _roots(scaled, scaled)
        decay, correlations = torch.exp(-root), hyperparameters.correlations
        over_matern = slope * self._correlation(placed, placed, correlations) if self.relatives else slope
        over_squares = over_matern * (-5 / 6) * (1 + root) * decay
        over_scaled = 4 * (over_squares.sum(-1, keepdim=True) * scaled - over_squares @ scaled)
        over_spreads = -(over_scaled * scaled).sum(-2)
        over_scales = over_spreads.new_zeros(*over_spreads.shape[:-1], self.columns)
        over_scales.index_add_(-1, self._owners, over_spreads)
        over_placed = (over_scaled / spread)[..., : len(self.numbers)]
        over_bends = (over_placed * _bend_slope(rows[:, self.numbers], hyperparameters.bends)).sum(-2)
        if not self.relatives:
            return over_scales, over_bends, over_bends[..., :0]
        switches = self.switches(placed)
        apart = self._shares(placed, correlations) - switches * correlations  # from rows of the same related job
        over_correlation = slope * (1 + root + root.square() / 3) * decay
        return over_scales, over_bends, 2 * (switches * (over_correlation @ apart)).sum(-2)

    def _correlation(self, one: torch.Tensor, other: torch.Tensor, correlations: torch.Tensor) -> torch.Tensor:
        """Return that of the jobs that placed rows belong to, shape (..., rows of the one, rows of the other)."""
        shared = self._shares(one, correlations) @ self._shares(other, correlations).transpose(-1, -2)
        rest = self.switches(one) * (1 - correlations.square())
        return shared + rest @ self.switches(other).transpose(-1, -2)

    def _shares(self, placed: torch.Tensor, correlations: torch.Tensor) -> torch.Tensor:
        """Return how much of this job's objective is in that of each row's job, shape (..., rows, 1)."""
        return 1 + (self.switches(placed) * (correlations - 1)).sum(-1, keepdim=True)

    def switches(self, placed: torch.Tensor) -> torch.Tensor:
        """Return which related job, if any, placed rows belong to, shape (..., rows, relatives)."""
        return placed[..., len(self._owners) :]


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
