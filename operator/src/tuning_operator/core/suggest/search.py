"""Finds the point that a model expects most of; every candidate is a point of the space."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.acquisition import LogExpectedImprovement, qLogNoisyExpectedImprovement
from botorch.sampling import SobolQMCNormalSampler

from tuning_operator.core.space import Categorical, Discrete, Integer
from tuning_operator.core.suggest.model import condition, switched
from tuning_operator.core.suggest.request import SpaceExhausted

if TYPE_CHECKING:
    from botorch.acquisition import AcquisitionFunction
    from botorch.models import SingleTaskGP
    from numpy.typing import NDArray

    from tuning_operator.core.space import Parameter, Space, Value
    from tuning_operator.core.suggest.model import History

    Rows = NDArray[np.float64]

SMALL_SPACE = 2048
"""Finite spaces up to this size are searched completely."""

_SAMPLES = 64
_SAMPLED_TRIALS = 200
_SAMPLED_PENDING = 8

_SPREAD = 512
_NEAR = 256
_SHARE = 4
_STARTS = 5
_ROUNDS = 12
_WIDEST, _FINE, _NARROWEST = 0.2, 0.01, 0.0007  # steps, as shares of a range
_WORTHWHILE = 0.01  # of the logarithm: a hundredth of the expected improvement
_VARIANTS = 8
_TOGETHER = 512  # candidates evaluated at once: each takes memory for all samples and trials


class Search:
    """Proposes points one after the other, each with regard to those before it."""

    def __init__(self, space: Space, model: SingleTaskGP, history: History, generator: np.random.Generator) -> None:
        self._space = space
        self._model = model
        self._history = history
        self._generator = generator
        self._pending = history.pending
        self._promising: Rows | None = None
        self._seen = {row.tobytes() for row in (*history.tried, *history.pending)}
        numbers = (parameter for parameter in space.parameters if not isinstance(parameter, Categorical))
        self._levels = max((parameter.levels or math.inf for parameter in numbers), default=1)

    def next(self) -> tuple[dict[str, Value], float]:
        """Return the most promising point that is neither tried nor pending, and the improvement that it promises.

        The improvement is of utilities, and over what unfinished trials come to, too: what these promise themselves is
        not part of it. Raises SpaceExhausted.
        """
        acquisition = self.acquisition()
        size = self._space.size
        if size is not None and size <= SMALL_SPACE:
            best, promise = self._exhaustive(acquisition, size)
        else:
            best, promise = self._climb(acquisition)
        self._pending = np.vstack([self._pending, best])
        self._seen.add(best.tobytes())
        return self._space.decode(best), math.exp(promise)

    def acquisition(self) -> AcquisitionFunction:
        """Return the logarithm of the expected improvement over the best trial, with regard to the unfinished ones.

        The expectation is over samples of what the noise hides and of how unfinished trials end. That gets dear with
        many of them and with long histories, where the model's expectation of both has to do.
        """
        if self._history.own > _SAMPLED_TRIALS or len(self._pending) > _SAMPLED_PENDING:
            return self._expecting()
        return qLogNoisyExpectedImprovement(
            self._model,
            X_baseline=torch.from_numpy(self._history.rows[: self._history.own]),
            X_pending=self._inputs(self._pending) if len(self._pending) else None,
            sampler=SobolQMCNormalSampler(torch.Size([_SAMPLES]), seed=0),
            prune_baseline=True,
        )

    def _expecting(self) -> AcquisitionFunction:
        """Take unfinished trials to end as the model expects, and the best to be the best expectation.

        That leaves the expectation as it is and takes the uncertainty away around an unfinished trial, so that the next
        one goes elsewhere.
        """
        rows, utilities = torch.from_numpy(self._history.rows), torch.from_numpy(self._history.objectives)
        own = rows[: self._history.own]
        with torch.no_grad():
            if len(self._pending):
                pending = self._inputs(self._pending)
                condition(self._model, rows, utilities)
                expected = self._model.posterior(pending).mean.squeeze(-1)
                condition(self._model, torch.cat([rows, pending]), torch.cat([utilities, expected]))
                own = torch.cat([own, pending])
            best = self._model.posterior(own).mean.max()
        return LogExpectedImprovement(self._model, best_f=best)

    def _exhaustive(self, acquisition: AcquisitionFunction, size: int) -> tuple[Rows, float]:
        rows = self._unseen(self._space.encode([self._space.nth(index) for index in range(size)]))
        if not len(rows):
            raise SpaceExhausted
        return _best(rows, self._evaluate(acquisition, rows))

    def _climb(self, acquisition: AcquisitionFunction) -> tuple[Rows, float]:
        """Climb from the most promising of many points, all at once, with steps that get smaller."""
        first = self._promising is None
        pool, values = self._pool(acquisition)
        count, rounds = (_STARTS, _ROUNDS) if first else (_STARTS // 2, _ROUNDS // 2)
        climbers, values = pool[:count].copy(), values[:count]
        for width in np.geomspace(_WIDEST, _NARROWEST, rounds):
            gain = self._step(acquisition, climbers, values, width)
            is_finest = width < _FINE or width * self._levels < 2  # noqa: PLR2004 - steps of two are always tried
            if gain < _WORTHWHILE and is_finest:
                break
        return _best(climbers, values)

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

    def _step(self, acquisition: AcquisitionFunction, climbers: Rows, values: Rows, width: float) -> float:
        """Move each climber to its best neighbour if that is better, in place; return the largest gain."""
        neighbours = [self._neighbours(climber, width) for climber in climbers]
        scores = np.split(
            self._evaluate(acquisition, np.vstack(neighbours)), np.cumsum([len(rows) for rows in neighbours])[:-1]
        )
        gain = 0.0
        for place, (rows, score) in enumerate(zip(neighbours, scores, strict=True)):
            score[[row.tobytes() in self._seen for row in rows]] = -np.inf
            best = int(np.argmax(score))
            if score[best] > values[place]:
                gain = max(gain, float(score[best] - values[place]))
                climbers[place], values[place] = rows[best], score[best]
        return gain

    def _spread(self, count: int) -> Rows:
        return self._space.spread(self._generator.random((count, len(self._space.parameters))))

    def _near_best(self, count: int) -> Rows:
        """Change one or two parameters of the best trials, those of related jobs too, which may lie outside."""
        dimensions = len(self._space.parameters)
        best = np.argsort(-self._history.objectives, kind="stable")[:5]
        rows = self._space.snap(self._history.rows[self._generator.choice(best, count), :dimensions])
        fresh = self._spread(count)
        changed = self._generator.random(rows.shape) < min(1.0, 2 / dimensions)
        return np.where(changed, fresh, rows)

    def _neighbours(self, row: Rows, width: float) -> Rows:
        """Return rows that differ from `row` in one parameter."""
        variants = []
        for place, parameter in enumerate(self._space.parameters):
            for value in self._alternatives(parameter, row[place], width):
                variant = row.copy()
                variant[place] = value
                variants.append(variant)
        return self._space.snap(np.array(variants))

    def _alternatives(self, parameter: Parameter, unit: float, width: float) -> Rows:
        if isinstance(parameter, Categorical):
            others = np.delete(np.arange(parameter.levels, dtype=np.float64), int(unit))
            return self._generator.permutation(others)[:_VARIANTS]
        if isinstance(parameter, Integer | Discrete):
            places = np.unique([*parameter.near(unit), *parameter.snap(np.array([unit - width, unit + width]))])
            return places[places != unit]
        return unit + width * self._generator.standard_normal(_VARIANTS)

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


def _best(rows: Rows, values: Rows) -> tuple[Rows, float]:
    place = int(np.argmax(values))
    return rows[place], float(values[place])
