"""Random points without repeats: the `Random` strategy and the fallback of the Bayesian one."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from tuning_operator.core.suggest.request import SpaceExhausted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tuning_operator.core.space import Space, Value

ENUMERABLE = 1 << 16
"""Finite spaces up to this size are walked through point by point once random draws mostly repeat."""

_BLOCK = 64


def stream(space: Space, *seeds: int) -> Iterator[dict[str, Value]]:
    """Yield distinct points, at first spread over the parameters' scales, until none is left.

    The sequence depends on the space and the seeds alone.
    """
    generator = np.random.default_rng(seeds)
    seen: set[tuple[Value, ...]] = set()
    repeats = 0
    while repeats <= _BLOCK + 4 * len(seen):
        for row in space.spread(generator.random((_BLOCK, len(space.parameters)))):
            point = space.decode(row)
            if (key := space.key(point)) in seen:
                repeats += 1
                continue
            seen.add(key)
            yield point
    # Only a finite space repeats itself this much: it is small, or its scales leave most points unlikely.
    for point in _any_order(space, generator):
        if (key := space.key(point)) not in seen:
            seen.add(key)
            yield point


def first_unseen(points: Iterator[dict[str, Value]], space: Space, seen: set[tuple[Value, ...]]) -> dict[str, Value]:
    """Return the first point that is not in `seen`; raises SpaceExhausted."""
    for point in points:
        if space.key(point) not in seen:
            return point
    raise SpaceExhausted


def of_stream(
    space: Space, seed: int, numbers: Sequence[int], apart: Collection[tuple[Value, ...]] = ()
) -> list[dict[str, Value]]:
    """Return the points of the seed's stream that numbers stand for, in one walk; raises SpaceExhausted.

    Args:
        space: Where the points lie.
        seed: What the stream follows from.
        numbers: Places in the stream, from 1, ascending.
        apart: Keys of points that are passed over, and do not count.
    """
    drawn = (point for point in stream(space, seed) if space.key(point) not in apart) if apart else stream(space, seed)
    walked = enumerate(islice(drawn, numbers[-1]), start=1)
    points = [point for number, point in walked if number in numbers]
    if len(points) < len(numbers):
        raise SpaceExhausted
    return points


def _any_order(space: Space, generator: np.random.Generator) -> Iterator[dict[str, Value]]:
    """Yield points of a finite space, each equally likely: all of a small one, endlessly of a large one."""
    if space.size is None:
        return  # a continuous range that is only a few floating-point numbers wide
    if space.size <= ENUMERABLE:
        yield from (space.nth(int(index)) for index in generator.permutation(space.size))
        return
    while True:
        yield space.nth(min(int(generator.random() * space.size), space.size - 1))
