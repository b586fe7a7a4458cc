"""Prints how well a variant's model orders points that it has not seen: what a study costs minutes to tell, in seconds.

A model is fitted to the trials of a search by Optuna's TPE, and judged by the rank correlation of what it expects with
what is true, over random points and over the best tenth of them, which a search has to tell apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.suggest_methods import METHODS
from benchmarks.suggest_problems import problem
from benchmarks.suggest_variants import varied
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest import SuggestRequest, history, model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.suggest_functions import Problem

_TRIALS = (20, 50)
_UNSEEN, _BEST = 2000, 200


def print_foresight(problems: Sequence[str], surrogates: Path | None, variants: Sequence[str], seeds: int) -> None:
    """Print mean and standard error over seeds, by problem and number of trials and what variants gain."""
    print(f"{'problem':28}{'trials':>7} {'variant':20}{'random points':>20}{'the best tenth':>20}", flush=True)
    means: dict[tuple[int, str], list[np.ndarray]] = {}
    for name in problems:
        task = problem(name, surrogates)
        unseen = np.unique(
            task.space.spread(np.random.default_rng(1).random((_UNSEEN, len(task.space.parameters)))), axis=0
        )
        truth = -np.array([task.loss(task.space.decode(row)) for row in unseen])
        histories = [_search(task, seed) for seed in range(seeds)]
        for trials in _TRIALS:
            for variant in variants:
                scores = np.array([_correlations(task, seen[:trials], unseen, truth, variant) for seen in histories])
                error = scores.std(axis=0, ddof=1) / len(scores) ** 0.5
                cells = "".join(
                    f"{mean:14.3f} ±{each:.3f}" for mean, each in zip(scores.mean(axis=0), error, strict=True)
                )
                print(f"{name:28}{trials:7} {variant:20}{cells}", flush=True)
                means.setdefault((trials, variant), []).append(scores.mean(axis=0))
    for trials in _TRIALS if len(problems) > 1 else ():
        for variant in variants[1:]:
            gains = np.array(means[trials, variant]) - np.array(means[trials, variants[0]])
            error = gains.std(axis=0, ddof=1) / len(gains) ** 0.5
            cells = "".join(f"{mean:+14.3f} ±{each:.3f}" for mean, each in zip(gains.mean(axis=0), error, strict=True))
            print(f"{f'more than {variants[0]}':28}{trials:7} {variant:20}{cells}")


def _search(task: Problem, seed: int) -> list[Observation]:
    sampler, noise = METHODS["optuna-tpe"](task.space, seed), np.random.default_rng((seed, 1))
    seen = []
    for number in range(1, max(_TRIALS) + 1):
        point = sampler.ask(number)
        loss = task.report(point, noise)
        sampler.tell(number, loss)
        seen.append(Observation(point, loss))
    return seen


def _correlations(
    task: Problem, seen: Sequence[Observation], unseen: np.ndarray, truth: np.ndarray, variant: str
) -> tuple[float, float]:
    request = SuggestRequest(task.space, Goal.MINIMIZE, Strategy.BAYESIAN, 0, (len(seen) + 1,), tuple(seen), ())
    with varied(variant):
        fitted = model.fit(task.space, history.History.of(request))
    with torch.no_grad():
        shared = fitted.covariance(fitted.place(torch.from_numpy(unseen)), fitted.known)
        means = fitted.mean + shared @ (fitted.inverse @ fitted.residuals)
        expected = means.numpy()
    best = np.argsort(-truth)[:_BEST]
    return float(spearmanr(expected, truth)[0]), float(spearmanr(expected[best], truth[best])[0])
