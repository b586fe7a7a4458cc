"""Finds the point that a model expects most of; every candidate is a point of the space."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from tuning_operator.core.suggest.acquisition import Fantasies, Promise
from tuning_operator.core.suggest.climb import Climbers
from tuning_operator.core.suggest.request import SpaceExhausted
from tuning_operator.core.suggest.terrain import Terrain

if TYPE_CHECKING:
    from botorch.acquisition import AcquisitionFunction
    from numpy.typing import NDArray

    from tuning_operator.core.space import Space, Value
    from tuning_operator.core.suggest.history import History
    from tuning_operator.core.suggest.model import Process

    Rows = NDArray[np.float64]

SMALL_SPACE = 2048
"""Finite spaces are searched completely once no more points than this are left of them."""

_SPREAD = 512
_NEAR = 256
_SHARE = 4
_STARTS = 4
_ROUNDS = 2


class Search:
    """Proposes points one after the other, each with regard to those before it.

    Attributes:
        terrain: The points that are left to try.
    """

    def __init__(self, space: Space, model: Process, history: History, generator: np.random.Generator) -> None:
        seen = {row.tobytes() for row in (*history.tried, *history.pending)}
        relatives = history.rows.shape[1] - len(space.parameters)
        self.terrain = Terrain(space, model.bends, relatives, seen, generator)
        self._model = model
        self._history = history
        self._pending = history.pending
        self._promising: Rows | None = None

    def next(self) -> tuple[dict[str, Value], float]:
        """Return the most promising point that is neither tried nor pending, and the improvement that it promises.

        The improvement is of utilities, and over what unfinished trials come to, too: what these promise themselves is
        not part of it. Raises SpaceExhausted.
        """
        acquisition = self.acquisition()
        space, seen = self.terrain.space, self.terrain.seen
        if space.size is not None and space.size - len(seen) <= SMALL_SPACE:
            best, promise = self._exhaustive(acquisition, space.size)
        else:
            best, promise = self._climb(acquisition)
        self._pending = np.vstack([self._pending, best])
        seen.add(best.tobytes())
        return space.decode(best), math.exp(promise)

    def acquisition(self) -> Promise:
        """Return what points promise, with regard to unfinished trials."""
        with torch.no_grad():
            return Promise(Fantasies(self._model, self.terrain.inputs(self._pending)))

    def _exhaustive(self, acquisition: AcquisitionFunction, size: int) -> tuple[Rows, float]:
        space = self.terrain.space
        rows = self.terrain.unseen(space.encode([space.nth(index) for index in range(size)]))
        if not len(rows):
            raise SpaceExhausted
        return _best(rows, self.terrain.evaluate(acquisition, rows))

    def _climb(self, acquisition: AcquisitionFunction) -> tuple[Rows, float]:
        """Climb from the most promising of many points."""
        count, rounds = (_STARTS, _ROUNDS) if self._promising is None else (_STARTS // 2, _ROUNDS // 2)
        pool, values = self._pool(acquisition)
        climbers = Climbers(self.terrain, acquisition, pool[:count], values[:count])
        climbers.climb(rounds)
        return _best(climbers.rows, climbers.values)

    def _pool(self, acquisition: AcquisitionFunction) -> tuple[Rows, Rows]:
        """Return many points and what they promise, best first; a batch shares the work of its first pool."""
        share = 1 if self._promising is None else _SHARE
        fresh = [self.terrain.spread(_SPREAD // share), self._near_best(_NEAR // share)]
        kept = [] if self._promising is None else [self._promising]
        pool = self.terrain.unseen(np.vstack([*kept, *fresh]))
        values = self.terrain.evaluate(acquisition, pool)
        order = np.argsort(-values, kind="stable")
        self._promising = pool[order[: len(order) // _SHARE]]
        return pool[order], values[order]

    def _near_best(self, count: int) -> Rows:
        """Change one or two parameters of the best trials, those of related jobs too, which may lie outside."""
        space, generator = self.terrain.space, self.terrain.generator
        dimensions = len(space.parameters)
        best = np.argsort(-self._history.objectives, kind="stable")[:5]
        rows = space.snap(self._history.rows[generator.choice(best, count), :dimensions])
        fresh = self.terrain.spread(count)
        changed = generator.random(rows.shape) < min(1.0, 2 / dimensions)
        return np.where(changed, fresh, rows)


def _best(rows: Rows, values: Rows) -> tuple[Rows, float]:
    place = int(np.argmax(values))
    return rows[place], float(values[place])
