"""How much two points of a space have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch

from tuning_operator.core.space import Categorical, Scale
from tuning_operator.core.space.scales import AUTO_LOG_RATIO

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    Two different categories are at distance 1, whatever their number.

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
        categories = [isinstance(parameter, Categorical) for parameter in space.parameters]
        self.numbers = [place for place, category in enumerate(categories) if not category]
        self._categories = [place for place, category in enumerate(categories) if category]
        self.suspected = [_span(space.parameters[place]) for place in self.numbers]

    def place(self, rows: torch.Tensor, bends: torch.Tensor) -> torch.Tensor:
        """Return where rows lie: first numbers, on their bent scales, then categories, then switches.

        Args:
            rows: Shape (rows, columns).
            bends: Of each of `numbers`, shape (..., 1, numbers).

        Returns:
            Shape (..., rows, columns).
        """
        numbers = rows[:, self.numbers]
        inside = numbers.clamp(0.0, 1.0)
        bent = numbers + (bend(inside, bends) - inside)  # what is out of a range stays as far out
        others = torch.cat([rows[:, self._categories], rows[:, self.columns :]], dim=-1)
        return torch.cat([bent, others.expand(*bent.shape[:-1], -1)], dim=-1)

    def covariance(self, one: torch.Tensor, other: torch.Tensor, hyperparameters: Hyperparameters) -> torch.Tensor:
        """Return what placed rows have in common, in units of the output scale.

        Args:
            one: Shape (..., rows, columns).
            other: The same.
            hyperparameters: Length scales and correlations.

        Returns:
            Shape (..., rows of the one, rows of the other).
        """
        root = self._roots(one, other, hyperparameters.scales)
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
            placed: Where they lie, shape (..., rows, columns).
            hyperparameters: Length scales, bends and correlations.
            slope: That over each covariance, symmetric, shape (..., rows, rows).

        Returns:
            Shapes (..., columns), (..., numbers) and (..., relatives).
        """
        scales = hyperparameters.scales
        root = self._roots(placed, placed, scales)
        decay, correlations = torch.exp(-root), hyperparameters.correlations
        over_matern = slope * self._correlation(placed, placed, correlations) if self.relatives else slope
        over_squares = over_matern * (-5 / 6) * (1 + root) * decay
        over_scales = torch.empty_like(scales[..., 0, :])
        spread = scales[..., self.numbers]
        scaled = placed[..., : len(self.numbers)] / spread
        over_scaled = 4 * (over_squares.sum(-1, keepdim=True) * scaled - over_squares @ scaled)
        over_scales[..., self.numbers] = -(over_scaled * scaled).sum(-2)
        for place, differ in zip(self._categories, self._differences(placed, placed), strict=True):
            over_scales[..., place] = -2 * torch.linalg.vecdot(over_squares.flatten(-2), differ.flatten(-2))
        over_scales[..., self._categories] *= scales[..., 0, self._categories].pow(-2)
        over_bends = (over_scaled / spread * _bend_slope(rows[:, self.numbers], hyperparameters.bends)).sum(-2)
        if not self.relatives:
            return over_scales, over_bends, over_bends[..., :0]
        switches = self.switches(placed)
        apart = self._shares(placed, correlations) - switches * correlations  # from rows of the same related job
        over_correlation = slope * (1 + root + root.square() / 3) * decay
        return over_scales, over_bends, 2 * (switches * (over_correlation @ apart)).sum(-2)

    def _roots(self, one: torch.Tensor, other: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
        """Return the root of five times the squared distances; GPyTorch's `covar_dist` takes three times as long."""
        spread = scales[..., self.numbers]
        here, there = one[..., : len(self.numbers)] / spread, other[..., : len(self.numbers)] / spread
        squares = here.square().sum(-1)[..., :, None] + there.square().sum(-1)[..., None, :]
        squares = squares - 2 * here @ there.transpose(-1, -2)
        weights = scales[..., None, :, self._categories].pow(-2).unbind(-1)
        for weight, differ in zip(weights, self._differences(one, other), strict=True):
            squares.addcmul_(differ, weight)
        return (5 * squares).clamp_min(1e-20).sqrt()

    def _differences(self, one: torch.Tensor, other: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield for each category 1 where placed rows differ in it, else 0, shape (..., rows of the one, of the other).

        Each overwrites the last. To compare all at once takes three to ten times as long, to multiply corners of
        simplices thirty times, if there are 64 categories of 128 values.
        """
        here, there = (self._levels(each).transpose(-1, -2).contiguous() for each in (one, other))
        differ = one.new_empty(*one.shape[:-1], other.shape[-2])
        for mine, theirs in zip(here[..., :, None].unbind(-3), there[..., None, :].unbind(-3), strict=True):
            yield torch.ne(mine, theirs, out=differ)

    def _correlation(self, one: torch.Tensor, other: torch.Tensor, correlations: torch.Tensor) -> torch.Tensor:
        """Return that of the jobs that placed rows belong to, shape (..., rows of the one, rows of the other)."""
        shared = self._shares(one, correlations) @ self._shares(other, correlations).transpose(-1, -2)
        rest = self.switches(one) * (1 - correlations.square())
        return shared + rest @ self.switches(other).transpose(-1, -2)

    def _shares(self, placed: torch.Tensor, correlations: torch.Tensor) -> torch.Tensor:
        """Return how much of this job's objective is in that of each row's job, shape (..., rows, 1)."""
        return 1 + (self.switches(placed) * (correlations - 1)).sum(-1, keepdim=True)

    def _levels(self, placed: torch.Tensor) -> torch.Tensor:
        """Return the categories of placed rows, shape (..., rows, categories)."""
        return placed[..., len(self.numbers) : self.columns].detach()

    def switches(self, placed: torch.Tensor) -> torch.Tensor:
        """Return which related job, if any, placed rows belong to, shape (..., rows, relatives)."""
        return placed[..., self.columns :]


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
