"""Prints how well a model orders points that it has not seen, with a parent's trials and without.

The trials come from a climb instead of a search: of a few random points near the best so far the best is taken. Models
are judged by the rank correlation of what they expect with what is true, over random points.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.suggest_problems import problem
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation, RelatedTrial
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest import SuggestRequest, history, model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.suggest_functions import Problem
    from tuning_operator.core.space import Space

    Seen = tuple[Observation, ...]

OWN_TRIALS = (2, 4, 8, 14)
PARENT_TRIALS = 30
_UNSEEN = 2000
_START, _CHOICE = 5, 4
"""How many trials of a climb are random, and of how many points the others are the best."""


def print_foresight(kinds: Mapping[str, Mapping[str, tuple[str, str]]], seeds: int) -> None:
    """Print, for each kind of parents, means over cases and seeds; with a parent, mean and error of the difference."""
    print(f"{'rank correlation':26}" + "".join(f"{f'{trials} own trials':>18}" for trials in OWN_TRIALS))
    for kind, cases in kinds.items():
        found = np.array([_case(*names, seed) for names in cases.values() for seed in range(seeds)])
        alone, gains = found[..., 0], found[..., 1] - found[..., 0]
        errors = gains.std(axis=0, ddof=1) / len(gains) ** 0.5
        print(f"{kind:11}{'alone':15}" + "".join(f"{mean:18.3f}" for mean in alone.mean(axis=0)))
        cells = zip(gains.mean(axis=0), errors, strict=True)
        print(f"{kind:11}{'with a parent':15}" + "".join(f"{mean:+11.3f} ±{error:.3f}" for mean, error in cells))


def changed(seen: Sequence[Observation], change: str, seed: int) -> Seen:
    """Return trials with their objectives turned (`reversed`), mixed up (`shuffled`) or as they are."""
    losses = np.array([each.objective for each in seen])
    if change == "reversed":
        losses = -losses
    if change == "shuffled":
        losses = np.random.default_rng(seed).permutation(losses)
    return tuple(replace(each, objective=float(loss)) for each, loss in zip(seen, losses, strict=True))


def as_related(space: Space, known: Seen) -> tuple[RelatedTrial, ...]:
    """Return a parent's trials as a related job's."""
    return tuple(RelatedTrial(space.place(space.render(each.parameters)), each.objective) for each in known)


def _case(name: str, earlier: str, seed: int) -> list[tuple[float, float]]:
    """Return the rank correlation without and with a parent, after each number of own trials."""
    task, (plain, _, change) = problem(name), earlier.partition(":")
    rows = np.unique(task.space.spread(np.random.default_rng(1).random((_UNSEEN, len(task.space.parameters)))), axis=0)
    truth = -np.array([task.loss(task.space.decode(row)) for row in rows])
    own = _climb(task, Goal.MINIMIZE, seed, max(OWN_TRIALS))
    goal = Goal.MAXIMIZE if change == "reversed" else Goal.MINIMIZE
    known = as_related(task.space, changed(_climb(problem(plain), goal, seed + 100, PARENT_TRIALS), change, seed))
    return [
        (_foresight(task, own[:trials], (), rows, truth), _foresight(task, own[:trials], (known,), rows, truth))
        for trials in OWN_TRIALS
    ]


def _climb(task: Problem, goal: Goal, seed: int, trials: int) -> Seen:
    generator, noise = np.random.default_rng((seed, trials)), np.random.default_rng((seed, 1))
    best: tuple[float, NDArray[np.float64]] | None = None
    seen = []
    for number in range(trials):
        rows = task.space.spread(generator.random((1 if number < _START else _CHOICE, len(task.space.parameters))))
        if best is not None and number >= _START:
            rows = task.space.snap(np.where(generator.random(rows.shape) < 0.5, best[1], rows))
        worths = [-goal.orient(task.loss(task.space.decode(row))) for row in rows]
        chosen = int(np.argmin(worths))
        if best is None or worths[chosen] < best[0]:
            best = worths[chosen], rows[chosen]
        point = task.space.decode(rows[chosen])
        seen.append(Observation(point, task.report(point, noise)))
    return tuple(seen)


def _foresight(
    task: Problem,
    own: Seen,
    relatives: tuple[tuple[RelatedTrial, ...], ...],
    rows: NDArray[np.float64],
    truth: NDArray[np.float64],
) -> float:
    request = SuggestRequest(task.space, Goal.MINIMIZE, Strategy.BAYESIAN, 0, (len(own) + 1,), own, (), relatives)
    fitted = model.fit(task.space, history.History.of(request))
    with torch.no_grad():
        unseen = fitted.place(torch.from_numpy(history.switched(rows, len(relatives))))
        expected = fitted.covariance(unseen, fitted.known) @ (fitted.inverse @ fitted.residuals)
    return float(spearmanr(expected.numpy(), truth)[0])
