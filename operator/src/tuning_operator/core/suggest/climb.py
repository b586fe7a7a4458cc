"""Climbs from points to better ones, all at once: along gradients, and over the lattice by steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.optim.batched_lbfgs_b import fmin_l_bfgs_b_batched

from tuning_operator.core.suggest.kernel import bend, straighten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from botorch.acquisition import AcquisitionFunction
    from numpy.typing import NDArray

    from tuning_operator.core.suggest.terrain import Terrain

    Rows = NDArray[np.float64]

_ASCENT = 3  # steps of L-BFGS, times the number of climbers: later ones start near their end
_HOPS = 6
_WORTHWHILE = 0.01  # of the logarithm: a hundredth of the expected improvement


class Climbers:
    """Points on their way up an acquisition.

    Attributes:
        rows: Where they are, shape (climbers, parameters).
        values: What that promises, shape (climbers,).
    """

    def __init__(self, terrain: Terrain, acquisition: AcquisitionFunction, rows: Rows, values: Rows) -> None:
        self._terrain = terrain
        self._acquisition = acquisition
        self._smooth = terrain.smooth
        self._lattice = terrain.lattice
        self.rows = rows.copy()
        self.values = values.copy()

    def climb(self, rounds: int) -> None:
        """Ascend and hop in turns as long as that is worth while; the better half goes on to the next turn."""
        for _ in range(rounds):
            before = self.values.max()
            self.ascend()
            self.hop()
            if not self._lattice or not self._smooth or self.values.max() - before < _WORTHWHILE:
                break
            ahead = np.argsort(-self.values, kind="stable")[: max(1, len(self.values) // 2)]
            self.rows, self.values = self.rows[ahead], self.values[ahead]

    def ascend(self) -> None:
        """Follow the gradient over all continuous parameters at once."""
        if not self._smooth:
            return
        inputs, smooth = self._terrain.inputs(self.rows), torch.tensor(self._smooth)
        bends = self._terrain.bends[smooth]

        def slopes(flat: Rows, batch_indices: Sequence[int]) -> tuple[Rows, Rows]:
            bent = torch.from_numpy(flat).requires_grad_(True)
            promise = self._acquisition(inputs[batch_indices].index_copy(1, smooth, straighten(bent, bends))[:, None])
            (slope,) = torch.autograd.grad(promise.sum(), bent)
            return -promise.detach().numpy(), -slope.numpy()

        found, _, _ = fmin_l_bfgs_b_batched(
            slopes,
            bend(inputs[:, smooth], bends).numpy(),
            [(0.0, 1.0)] * len(smooth),
            maxiter=_ASCENT * len(self.rows),
            pass_batch_indices=True,
        )
        rows = self.rows.copy()
        rows[:, self._smooth] = straighten(torch.from_numpy(found), bends).numpy()
        self._take(np.arange(len(rows)), self._terrain.space.snap(rows))

    def hop(self) -> None:
        """Move each to its best neighbour on the lattice as long as that is worth while."""
        for _ in range(_HOPS if self._lattice else 0):
            neighbours = [self._terrain.neighbours(row) for row in self.rows]
            owners = np.repeat(np.arange(len(self.rows)), [len(rows) for rows in neighbours])
            rows = np.vstack(neighbours)
            if not len(rows):  # a scale of very many values does not tell neighbours apart
                break
            if self._take(owners, rows) < _WORTHWHILE:
                break

    def _take(self, owners: NDArray[np.int64], rows: Rows) -> float:
        """Move each climber to the best of its rows that is new and better than where it is; return the best gain."""
        scores = self._terrain.evaluate(self._acquisition, rows)
        gain = 0.0
        for place in np.argsort(scores, kind="stable"):
            owner = owners[place]
            if scores[place] > self.values[owner] and rows[place].tobytes() not in self._terrain.seen:
                gain = max(gain, float(scores[place] - self.values[owner]))
                self.rows[owner], self.values[owner] = rows[place], scores[place]
        return gain
