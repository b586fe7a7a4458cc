"""Finds the point that a model expects most of; every candidate is a point of the space."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.optim.batched_lbfgs_b import fmin_l_bfgs_b_batched

from tuning_operator.core.space import Categorical, Continuous
from tuning_operator.core.suggest.acquisition import Fantasies, Promise
from tuning_operator.core.suggest.history import switched
from tuning_operator.core.suggest.kernel import bend, straighten
from tuning_operator.core.suggest.request import SpaceExhausted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from botorch.acquisition import AcquisitionFunction
    from numpy.typing import NDArray

    from tuning_operator.core.space import Parameter, Space, Value
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
_ASCENT = 3  # steps of L-BFGS, times the number of climbers: later ones start near their end
_HOPS = 6
_WORTHWHILE = 0.01  # of the logarithm: a hundredth of the expected improvement
_COARSE = 20  # numbers with more values than this follow the gradient, and are rounded where it leads
_VARIANTS = 8
_TOGETHER = 512  # candidates evaluated at once: each takes memory for all samples and trials


class Search:
    """Proposes points one after the other, each with regard to those before it."""

    def __init__(self, space: Space, model: Process, history: History, generator: np.random.Generator) -> None:
        self._space = space
        self._model = model
        self._history = history
        self._generator = generator
        self._bends = model.bends
        self._pending = history.pending
        self._promising: Rows | None = None
        self._seen = {row.tobytes() for row in (*history.tried, *history.pending)}
        self._smooth = [place for place, parameter in enumerate(space.parameters) if _is_fine(parameter)]
        self._lattice = [place for place, parameter in enumerate(space.parameters) if parameter.levels not in (None, 1)]

    def next(self) -> tuple[dict[str, Value], float]:
        """Return the most promising point that is neither tried nor pending, and the improvement that it promises.

        The improvement is of utilities, and over what unfinished trials come to, too: what these promise themselves is
        not part of it. Raises SpaceExhausted.
        """
        acquisition = self.acquisition()
        size = self._space.size
        if size is not None and size - len(self._seen) <= SMALL_SPACE:
            best, promise = self._exhaustive(acquisition, size)
        else:
            best, promise = self._climb(acquisition)
        self._pending = np.vstack([self._pending, best])
        self._seen.add(best.tobytes())
        return self._space.decode(best), math.exp(promise)

    def acquisition(self) -> Promise:
        """Return what points promise, with regard to unfinished trials."""
        with torch.no_grad():
            return Promise(Fantasies(self._model, self._inputs(self._pending)))

    def _exhaustive(self, acquisition: AcquisitionFunction, size: int) -> tuple[Rows, float]:
        rows = self._unseen(self._space.encode([self._space.nth(index) for index in range(size)]))
        if not len(rows):
            raise SpaceExhausted
        return _best(rows, self._evaluate(acquisition, rows))

    def _climb(self, acquisition: AcquisitionFunction) -> tuple[Rows, float]:
        """Climb from the most promising of many points, all at once: by gradients, and over the lattice by steps."""
        count, rounds = (_STARTS, _ROUNDS) if self._promising is None else (_STARTS // 2, _ROUNDS // 2)
        pool, values = self._pool(acquisition)
        climbers, values = pool[:count].copy(), values[:count].copy()
        for _ in range(rounds):
            before = values.max()
            self._ascend(acquisition, climbers, values)
            self._hop(acquisition, climbers, values)
            if not self._lattice or not self._smooth or values.max() - before < _WORTHWHILE:
                break
            ahead = np.argsort(-values, kind="stable")[: _STARTS // 2]
            climbers, values = climbers[ahead], values[ahead]
        return _best(climbers, values)

    def _ascend(self, acquisition: AcquisitionFunction, climbers: Rows, values: Rows) -> None:
        """Follow the gradient over all continuous parameters at once, in place."""
        if not self._smooth:
            return
        inputs, smooth = self._inputs(climbers), torch.tensor(self._smooth)
        bends = self._bends[smooth]

        def slopes(flat: Rows, batch_indices: Sequence[int]) -> tuple[Rows, Rows]:
            bent = torch.from_numpy(flat).requires_grad_(True)
            promise = acquisition(inputs[batch_indices].index_copy(1, smooth, straighten(bent, bends))[:, None])
            (slope,) = torch.autograd.grad(promise.sum(), bent)
            return -promise.detach().numpy(), -slope.numpy()

        found, _, _ = fmin_l_bfgs_b_batched(
            slopes,
            bend(inputs[:, smooth], bends).numpy(),
            [(0.0, 1.0)] * len(smooth),
            maxiter=_ASCENT * len(climbers),
            pass_batch_indices=True,
        )
        rows = climbers.copy()
        rows[:, self._smooth] = straighten(torch.from_numpy(found), bends).numpy()
        rows = self._space.snap(rows)
        self._take(np.arange(len(rows)), rows, self._evaluate(acquisition, rows), climbers, values)

    def _hop(self, acquisition: AcquisitionFunction, climbers: Rows, values: Rows) -> None:
        """Move each climber to its best neighbour on the lattice as long as that is worth while, in place."""
        for _ in range(_HOPS if self._lattice else 0):
            neighbours = [self._neighbours(climber) for climber in climbers]
            owners = np.repeat(np.arange(len(climbers)), [len(rows) for rows in neighbours])
            rows = np.vstack(neighbours)
            if not len(rows):  # a scale of very many values does not tell neighbours apart
                break
            if self._take(owners, rows, self._evaluate(acquisition, rows), climbers, values) < _WORTHWHILE:
                break

    def _take(self, owners: NDArray[np.int64], rows: Rows, scores: Rows, climbers: Rows, values: Rows) -> float:
        """Let each climber have the best of its rows that is new and better than it, in place; return the best gain."""
        gain = 0.0
        for place in np.argsort(scores, kind="stable"):
            owner = owners[place]
            if scores[place] > values[owner] and rows[place].tobytes() not in self._seen:
                gain = max(gain, float(scores[place] - values[owner]))
                climbers[owner], values[owner] = rows[place], scores[place]
        return gain

    def _pool(self, acquisition: AcquisitionFunction) -> tuple[Rows, Rows]:
        """Return many points and what they promise, best first; a batch shares the work of its first pool."""
        share = 1 if self._promising is None else _SHARE
        fresh = [self._spread(_SPREAD // share), self._near_best(_NEAR // share)]
        kept = [] if self._promising is None else [self._promising]
        pool = self._unseen(np.vstack([*kept, *fresh]))
        values = self._evaluate(acquisition, pool)
        order = np.argsort(-values, kind="stable")
        self._promising = pool[order[: len(order) // _SHARE]]
        return pool[order], values[order]

    def _spread(self, count: int) -> Rows:
        """Draw points that cover the model's scales evenly, which may be bent."""
        uniform = torch.from_numpy(self._generator.random((count, len(self._space.parameters))))
        return self._space.spread(straighten(uniform, self._bends).numpy())

    def _near_best(self, count: int) -> Rows:
        """Change one or two parameters of the best trials, those of related jobs too, which may lie outside."""
        dimensions = len(self._space.parameters)
        best = np.argsort(-self._history.objectives, kind="stable")[:5]
        rows = self._space.snap(self._history.rows[self._generator.choice(best, count), :dimensions])
        fresh = self._spread(count)
        changed = self._generator.random(rows.shape) < min(1.0, 2 / dimensions)
        return np.where(changed, fresh, rows)

    def _neighbours(self, row: Rows) -> Rows:
        """Return rows that differ from `row` in one parameter that has a finite number of values."""
        variants = []
        for place in self._lattice:
            for value in self._alternatives(self._space.parameters[place], row[place]):
                variant = row.copy()
                variant[place] = value
                variants.append(variant)
        return self._space.snap(np.array(variants).reshape(-1, len(row)))

    def _alternatives(self, parameter: Parameter, unit: float) -> Rows:
        """Return other places of a category, or beside a number; if it has few, also farther away."""
        if isinstance(parameter, Categorical):
            others = np.delete(np.arange(parameter.levels, dtype=np.float64), int(unit))
            return self._generator.permutation(others)[:_VARIANTS]
        places = np.array([]) if isinstance(parameter, Continuous) else parameter.near(unit)
        if not _is_fine(parameter):
            places = np.concatenate([places, parameter.snap(self._generator.random(_VARIANTS // 2))])
        return np.unique(places[places != unit])

    def _evaluate(self, acquisition: AcquisitionFunction, rows: Rows) -> Rows:
        with torch.no_grad():
            chunks = self._inputs(rows)[:, None, :].split(_TOGETHER)
            return np.concatenate([acquisition(chunk).numpy() for chunk in chunks])

    def _inputs(self, rows: Rows) -> torch.Tensor:
        """Return what the model knows the job's own points by."""
        relatives = self._history.rows.shape[1] - len(self._space.parameters)
        return torch.from_numpy(switched(rows, relatives))

    def _unseen(self, rows: Rows) -> Rows:
        unique = np.unique(rows, axis=0)
        return unique[[row.tobytes() not in self._seen for row in unique]]


def _is_fine(parameter: Parameter) -> bool:
    """Whether a parameter is a number with enough values for its gradient to say where to go."""
    return not isinstance(parameter, Categorical) and (parameter.levels is None or parameter.levels > _COARSE)


def _best(rows: Rows, values: Rows) -> tuple[Rows, float]:
    place = int(np.argmax(values))
    return rows[place], float(values[place])
