"""Functions whose optimum is known, with what makes real problems hard.

BoTorch's test functions, moved so that the optimum is off the middle of the ranges; and our own functions for what
those lack: categories that each have their own optimum, logarithmic parameters given as linear ones, a failing region
beside the optimum. Regrets are shares of what a typical random point lacks, so 1 is the median of random points.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from tuning_operator.core.space import Categorical, Continuous, Integer, Scale, Space

if TYPE_CHECKING:
    from botorch.test_functions import SyntheticTestFunction

Point = Mapping[str, Any]

_RANDOM = 1000


@dataclass(frozen=True)
class Problem:
    """Something to minimise.

    Attributes:
        loss: What a point is worth, without noise.
        regret: What is left to gain, from the best loss so far; 0 at the optimum.
        report: What a trial reports, with noise from a generator; None when it fails.
    """

    name: str
    space: Space
    loss: Callable[[Point], float]
    regret: Callable[[float], float]
    report: Callable[[Point, np.random.Generator], float | None]


def in_shares(name: str, space: Space, loss: Callable[[Point], float], best: float, noise: float = 0.0) -> Problem:
    """Return a problem whose regret is 1 at the median of random points that do not fail.

    `noise` is the standard deviation of what trials report, as a share of the same distance; a loss that is infinite
    stands for a trial that fails.
    """
    points = space.spread(np.random.default_rng(0).random((_RANDOM, len(space.parameters))))
    losses = np.array([loss(space.decode(row)) for row in points])
    typical = float(np.median(losses[np.isfinite(losses)])) - best

    def report(point: Point, generator: np.random.Generator) -> float | None:
        worth = loss(point)
        return worth + noise * typical * float(generator.standard_normal()) if math.isfinite(worth) else None

    return Problem(name, space, loss, lambda value: (value - best) / typical, report)


def _moved(
    name: str,
    kind: str,
    *,
    dim: int | None = None,
    width: float | None = None,
    by: float = 0.0,
    irrelevant: int = 0,
    noise: float = 0.0,
) -> Problem:
    """Return a test function of BoTorch's whose ranges are moved by up to this share of their width.

    `width` takes the place of the function's own ranges, around 0; parameters without effect may be added.
    """
    import torch  # noqa: PLC0415 - takes seconds, and the names of problems need none
    from botorch.test_functions import synthetic  # noqa: PLC0415

    sized = {"dim": dim} if dim else {}
    plain: SyntheticTestFunction = getattr(synthetic, kind)(**sized)
    bounds = plain._bounds if width is None else [(-width / 2, width / 2)] * plain.dim
    shares = np.random.default_rng(len(name)).uniform(-by, by, plain.dim)
    ranges = [
        (low + share * (high - low), high + share * (high - low))
        for (low, high), share in zip(bounds, shares.tolist(), strict=True)
    ]
    moved = getattr(synthetic, kind)(**sized, bounds=ranges)
    relevant = [Continuous(f"x{place}", low, high, Scale.LINEAR) for place, (low, high) in enumerate(ranges)]
    others = [Continuous(f"without{place}", 0.0, 1.0) for place in range(irrelevant)]

    def loss(point: Point) -> float:
        x = torch.tensor([point[parameter.name] for parameter in relevant], dtype=torch.float64)
        return float(moved.evaluate_true(x))

    return in_shares(name, Space((*relevant, *others)), loss, float(plain.optimal_value), noise)


def _branches(name: str, levels: int, numbers: int, seed: int) -> Problem:
    """Return a problem whose categories have different optima; the best level is the worst but near its optimum."""
    generator = np.random.default_rng(seed)
    centres = generator.uniform(0.15, 0.85, (levels, numbers))
    floors = np.linspace(0.0, 0.3, levels)
    slopes = np.linspace(3.0, 0.6, levels)
    kinds = tuple(f"kind{place}" for place in range(levels))
    space = Space((Categorical("kind", kinds), *(Continuous(f"x{place}", 0.0, 1.0) for place in range(numbers))))

    def loss(point: Point) -> float:
        kind = kinds.index(point["kind"])
        x = np.array([point[f"x{place}"] for place in range(numbers)])
        away = float(np.sqrt(((x - centres[kind]) ** 2).mean()))
        return float(floors[kind] + slopes[kind] * away**1.5)

    return in_shares(name, space, loss, 0.0)


def _wrong_scale(name: str, best: tuple[float, ...], irrelevant: int = 1, noise: float = 0.0) -> Problem:
    """Return a problem of learning rates and the like, from 1e-5 to 1, which are given as linear."""
    space = Space(
        (
            *(Continuous(f"rate{place}", 1e-5, 1.0, Scale.LINEAR) for place in range(len(best))),
            *(Continuous(f"without{place}", 0.0, 1.0) for place in range(irrelevant)),
            Integer("layers", 1, 8),
        )
    )

    def loss(point: Point) -> float:
        rates = (math.log10(point[f"rate{place}"]) - math.log10(rate) for place, rate in enumerate(best))
        return sum(rate * rate for rate in rates) + 0.05 * (point["layers"] - 3) ** 2

    return in_shares(name, space, loss, 0.0, noise)


def _cliff(name: str, numbers: int, seed: int) -> Problem:
    """Return a valley whose floor falls towards a region where trials fail."""
    centre = np.random.default_rng(seed).uniform(0.3, 0.7, numbers)
    space = Space(tuple(Continuous(f"x{place}", 0.0, 1.0) for place in range(numbers)))

    def loss(point: Point) -> float:
        x = np.array([point[f"x{place}"] for place in range(numbers)])
        beyond = float(x[0] + x[1] - centre[0] - centre[1])
        if beyond > 0:
            return math.inf
        return float(((x[2:] - centre[2:]) ** 2).sum() + 0.3 * abs(x[0] - centre[0]) - 0.5 * beyond)

    return in_shares(name, space, loss, 0.0)


Made = Mapping[str, Callable[[str], Problem]]

DEVELOPMENT: Made = {
    "rugged8": partial(_moved, kind="StyblinskiTang", dim=8, irrelevant=2),
    "ackley5": partial(_moved, kind="Ackley", dim=5, width=10.0, by=0.35),
    "levy4-noisy": partial(_moved, kind="Levy", dim=4, by=0.3, noise=0.1),
    "valley5": partial(_moved, kind="Rosenbrock", dim=5, by=0.2),
    "hartmann3-of-10": partial(_moved, kind="Hartmann", dim=3, irrelevant=7, noise=0.02),
    "branches4": partial(_branches, levels=4, numbers=4, seed=1),
    "as-linear2": partial(_wrong_scale, best=(1e-3, 3e-2)),
    "cliff4": partial(_cliff, numbers=4, seed=2),
}
"""Functions that decisions may be chosen on."""

REPORT: Made = {
    "shekel4": partial(_moved, kind="Shekel"),
    "michalewicz5": partial(_moved, kind="Michalewicz", dim=5, irrelevant=1),
    "griewank6-noisy": partial(_moved, kind="Griewank", dim=6, width=100.0, by=0.3, noise=0.1),
    "dixon-price6": partial(_moved, kind="DixonPrice", dim=6, by=0.25),
    "hartmann6-of-12": partial(_moved, kind="Hartmann", dim=6, irrelevant=6, noise=0.02),
    "rastrigin3": partial(_moved, kind="Rastrigin", dim=3, by=0.35),
    "branches3": partial(_branches, levels=3, numbers=5, seed=7),
    "branches6": partial(_branches, levels=6, numbers=3, seed=11),
    "as-linear3": partial(_wrong_scale, best=(2e-4, 5e-3, 0.2), irrelevant=0, noise=0.05),
    "cliff6": partial(_cliff, numbers=6, seed=9),
}
"""Functions that decide nothing: what the report says of problems that were not seen."""


@cache
def function(name: str) -> Problem:
    """Return a function of either list by its name."""
    known = {**DEVELOPMENT, **REPORT}
    if name not in known:
        raise SystemExit(f"there is no problem {name}; functions are {', '.join(known)}")
    return known[name](name)
