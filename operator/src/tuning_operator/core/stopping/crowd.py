"""Looks at many trials where another one was as far: once for all that are judged there, so a thousand cost little."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from tuning_operator.core.model.curves import Series
    from tuning_operator.core.stopping.lengths import Lengths
    from tuning_operator.core.stopping.track import Track


class Found(NamedTuple):
    """Trials that were as far.

    Attributes:
        best: Their best values up to there.
        tracks: Their curves, in the same order.
        chosen: Which of the crowd they are, in the same order.
    """

    best: Series
    tracks: list[Track]
    chosen: npt.NDArray[np.intp]


class Crowd:
    """Trials that another one is compared with.

    Args:
        tracks: Their curves by name.
        lengths: How many epochs each trains.
    """

    def __init__(self, tracks: Mapping[str, Track], lengths: Lengths) -> None:
        self._index = {name: index for index, name in enumerate(tracks)}
        self._tracks = list(tracks.values())
        self._begins = np.array([track.begin for track in self._tracks], dtype=np.float64)
        self._ends = np.array([track.end for track in self._tracks], dtype=np.float64)
        self._lengths: Series | None = None
        if not lengths.same_place:
            own = [lengths.of(name) for name in tracks]
            self._lengths = np.array([math.nan if length is None else length for length in own], dtype=np.float64)

    def as_far(self, place: float, likely: int, length: float) -> Found:
        """Find the trials that were as far as one of a length was at a place; whose length is in doubt is left out.

        Args:
            place: The place.
            likely: Which of its own values the judged trial has there.
            length: How many epochs it trains.
        """
        places = place if self._lengths is None else place * self._lengths / length
        covering = (self._begins <= places) & (places <= self._ends)
        chosen = np.flatnonzero(covering)
        tracks = [self._tracks[index] for index in chosen.tolist()]
        if isinstance(places, float):
            best = [track.best_there(places, likely) for track in tracks]
        else:
            best = [track.best_at(at, likely) for track, at in zip(tracks, places[covering].tolist(), strict=True)]
        return Found(np.array(best, dtype=np.float64), tracks, chosen)

    def best_without(self, found: Found, name: str) -> Series:
        """Return the best values of those that were found, except for one trial's."""
        return found.best[found.chosen != self._index.get(name, -1)]
