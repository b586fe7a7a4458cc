"""The points that are left to try, as the model knows them, and which of them lie beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from tuning_operator.core.space import Categorical, Continuous
from tuning_operator.core.suggest.history import switched
from tuning_operator.core.suggest.kernel import straighten

if TYPE_CHECKING:
    from botorch.acquisition import AcquisitionFunction
    from numpy.typing import NDArray

    from tuning_operator.core.space import Parameter, Space

    Rows = NDArray[np.float64]

_COARSE = 20  # numbers with more values than this follow the gradient, and are rounded where it leads
_VARIANTS = 8
_TOGETHER = 512  # candidates evaluated at once: each takes memory for all samples and trials


@dataclass(frozen=True, slots=True)
class Terrain:
    """A space on the model's scales, less the points that a job has.

    Attributes:
        bends: How the model bends the scale of each parameter, shape (parameters,).
        relatives: The number of the model's columns that tell related jobs apart.
        seen: The rows that are tried or pending, as bytes. More are added as a search proposes them.
        generator: Draws points and neighbours.
    """

    space: Space
    bends: torch.Tensor
    relatives: int
    seen: set[bytes]
    generator: np.random.Generator

    @property
    def smooth(self) -> list[int]:
        """The places of the parameters whose gradient says where to go."""
        return [place for place, parameter in enumerate(self.space.parameters) if _is_fine(parameter)]

    @property
    def lattice(self) -> list[int]:
        """The places of the parameters with a finite number of values, two or more."""
        return [place for place, parameter in enumerate(self.space.parameters) if parameter.levels not in (None, 1)]

    def inputs(self, rows: Rows) -> torch.Tensor:
        """Return what the model knows the job's own points by, shape (rows, columns)."""
        return torch.from_numpy(switched(rows, self.relatives))

    def evaluate(self, acquisition: AcquisitionFunction, rows: Rows) -> Rows:
        """Return what each row promises, shape (rows,)."""
        with torch.no_grad():
            chunks = self.inputs(rows)[:, None, :].split(_TOGETHER)
            return np.concatenate([acquisition(chunk).numpy() for chunk in chunks])

    def unseen(self, rows: Rows) -> Rows:
        """Return the rows that are neither tried nor pending, sorted, each once."""
        unique = np.unique(rows, axis=0)
        return unique[[row.tobytes() not in self.seen for row in unique]]

    def spread(self, count: int) -> Rows:
        """Draw points that cover the model's scales evenly, which may be bent."""
        uniform = torch.from_numpy(self.generator.random((count, len(self.space.parameters))))
        return self.space.spread(straighten(uniform, self.bends).numpy())

    def neighbours(self, row: Rows) -> Rows:
        """Return rows that differ from `row` in one parameter of the lattice."""
        variants = []
        for place in self.lattice:
            for value in self.alternatives(self.space.parameters[place], row[place]):
                variant = row.copy()
                variant[place] = value
                variants.append(variant)
        return self.space.snap(np.array(variants).reshape(-1, len(row)))

    def alternatives(self, parameter: Parameter, unit: float) -> Rows:
        """Return other places of a category, or beside a number; if it has few, also farther away."""
        if isinstance(parameter, Categorical):
            others = np.delete(np.arange(parameter.levels, dtype=np.float64), int(unit))
            return self.generator.permutation(others)[:_VARIANTS]
        places = np.array([]) if isinstance(parameter, Continuous) else parameter.near(unit)
        if not _is_fine(parameter):
            places = np.concatenate([places, parameter.snap(self.generator.random(_VARIANTS // 2))])
        return np.unique(places[places != unit])


def _is_fine(parameter: Parameter) -> bool:
    """Whether a parameter is a number with enough values for its gradient to say where to go."""
    return not isinstance(parameter, Categorical) and (parameter.levels is None or parameter.levels > _COARSE)
