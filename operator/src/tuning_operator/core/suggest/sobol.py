"""Scrambled Sobol points: evenly spread, whatever the number of parameters, and each one known by its place alone.

As `torch.quasirandom.SobolEngine` has them, which takes seconds to import: the first trials of a job need no model, and
do not wait for it. `scipy.stats.qmc` takes nearly as long, and 70 MB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Bits = NDArray[np.uint64]

MOST_DIMENSIONS = 64
"""The most parameters that a job has."""

_DIGITS = 32

_DIRECTIONS = """
3 1; 7 1 3; 11 1 3 1; 13 1 1 1; 19 1 1 3 3; 25 1 3 5 13; 37 1 1 5 5 17; 41 1 1 5 5 5; 47 1 1 7 11 19; 55 1 1 5 1 1;
59 1 1 1 3 11; 61 1 3 5 5 31; 67 1 3 3 9 7 49; 91 1 1 1 15 21 21; 97 1 3 1 13 27 49; 103 1 1 1 15 7 5;
109 1 3 1 15 13 25; 115 1 1 5 5 19 61; 131 1 3 7 11 23 15 103; 137 1 3 7 13 13 15 69; 143 1 1 3 13 7 35 63;
145 1 3 5 9 1 25 53; 157 1 3 1 13 9 35 107; 167 1 3 1 5 27 61 31; 171 1 1 5 11 19 41 61; 185 1 3 5 3 3 13 69;
191 1 1 7 13 1 19 1; 193 1 3 7 5 13 19 59; 203 1 1 3 9 25 29 41; 211 1 3 5 13 23 1 55; 213 1 3 7 3 13 59 17;
229 1 3 1 3 5 53 69; 239 1 1 5 5 23 33 13; 241 1 1 7 7 1 61 123; 247 1 1 7 9 13 61 49; 253 1 3 3 5 3 55 33;
285 1 3 1 15 31 13 49 245; 299 1 3 5 15 31 59 63 97; 301 1 3 1 11 11 11 77 249; 333 1 3 1 11 27 43 71 9;
351 1 1 7 15 21 11 81 45; 355 1 3 7 3 25 31 65 79; 357 1 3 1 1 19 11 3 205; 361 1 1 5 9 19 21 29 157;
369 1 3 7 11 1 33 89 185; 391 1 3 3 3 15 9 79 71; 397 1 3 7 11 15 39 119 27; 425 1 1 3 1 11 31 97 225;
451 1 1 1 3 23 43 57 177; 463 1 3 7 7 17 17 37 71; 487 1 3 1 5 27 63 123 213; 501 1 1 3 5 11 43 53 133;
529 1 3 5 5 29 17 47 173 479; 539 1 3 3 11 3 1 109 9 69; 545 1 1 1 5 17 39 23 5 343; 557 1 3 1 5 25 15 31 103 499;
563 1 1 1 11 11 17 63 105 183; 601 1 1 5 11 9 29 97 231 363; 607 1 1 5 15 19 45 41 7 383;
617 1 3 7 7 31 19 83 137 221; 623 1 1 1 3 23 15 111 223 83; 631 1 1 5 13 31 15 55 25 161;
637 1 1 3 13 25 47 39 87 257
"""
"""Of each dimension from the second on: a primitive polynomial, its coefficients as bits, and the first direction
numbers, as found by Joe and Kuo (SIAM J. Sci. Comput. 30, 2008; their file new-joe-kuo-6.21201)."""


def sobol(dimensions: int, places: Sequence[int], seed: int | None = None) -> NDArray[np.float64]:
    """Return points of a Sobol sequence in [0, 1), shape (places, dimensions).

    Args:
        dimensions: At most MOST_DIMENSIONS.
        places: In the sequence, from 0 and below 2**31.
        seed: Of the scrambling, which keeps the points evenly spread (Matoušek, J. Complexity 14, 1998): a random
            linear map of the digits and a random shift. Without one the points are those of the textbook.
    """
    directions = _directions(dimensions)
    shift = np.zeros(dimensions, dtype=np.uint64)
    if seed is not None:
        generator = np.random.default_rng(seed)
        directions = _scrambled(directions, generator)
        shift = generator.integers(1 << _DIGITS, size=dimensions, dtype=np.uint64)
    points = [shift ^ np.bitwise_xor.reduce(directions[:, _gray(place)], axis=1) for place in places]
    found: NDArray[np.float64] = np.array(points, dtype=np.float64).reshape(-1, dimensions) / (1 << _DIGITS)
    return found


def _gray(place: int) -> list[int]:
    """Return the bits that are set in the Gray code of a place."""
    code = place ^ (place >> 1)
    return [bit for bit in range(_DIGITS) if code >> bit & 1]


def _directions(dimensions: int) -> Bits:
    """Return direction numbers, the highest digit first, shape (dimensions, digits)."""
    entries = _DIRECTIONS.replace("\n", " ").split(";")[: dimensions - 1]
    numbers = [[1] * _DIGITS, *(_recurrence(*map(int, entry.split())) for entry in entries)]
    weights = np.arange(_DIGITS - 1, -1, -1, dtype=np.uint64)
    return np.array(numbers, dtype=np.uint64) << weights


def _recurrence(polynomial: int, *first: int) -> list[int]:
    """Continue direction numbers as a primitive polynomial says."""
    degree, numbers = len(first), list(first)
    while len(numbers) < _DIGITS:
        following = numbers[-degree] ^ numbers[-degree] << degree
        for back in range(1, degree):
            if polynomial >> (degree - back) & 1:
                following ^= numbers[-back] << back
        numbers.append(following)
    return numbers


def _scrambled(directions: Bits, generator: np.random.Generator) -> Bits:
    """Map the digits of direction numbers by a random lower triangular matrix for each dimension."""
    places = np.arange(_DIGITS - 1, -1, -1, dtype=np.uint64)
    digits = (directions[..., None] >> places & np.uint64(1)).astype(np.int64)
    matrices = np.tril(generator.integers(2, size=(len(directions), _DIGITS, _DIGITS)), k=-1) + np.eye(
        _DIGITS, dtype=np.int64
    )
    mapped = (digits @ matrices.transpose(0, 2, 1) % 2).astype(np.uint64)
    return np.bitwise_or.reduce(mapped << places, axis=-1)
