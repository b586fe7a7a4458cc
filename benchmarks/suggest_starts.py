"""Prints what the best of a suggester's first points is worth, before it has learned anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.suggest_methods import METHODS
from benchmarks.suggest_problems import problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.suggest_functions import Problem

_AT = (5, 10, 14)


def print_starts(problems: Sequence[str], methods: Sequence[str], seeds: int) -> None:
    """Print mean and standard error over seeds of the regret after some points, without reporting their losses."""
    print(f"{'problem':28}{'method':15}" + "".join(f"{f'{at} points':>18}" for at in _AT), flush=True)
    for name in problems:
        task = problem(name)
        for method in methods:
            regrets = np.array([_regrets(task, method, seed) for seed in range(seeds)])
            error = regrets.std(axis=0, ddof=1) / seeds**0.5
            cells = zip(regrets.mean(axis=0), error, strict=True)
            print(f"{name:28}{method:15}" + "".join(f"{mean:10.4f} ±{each:.4f}" for mean, each in cells), flush=True)


def _regrets(task: Problem, method: str, seed: int) -> list[float]:
    suggester = METHODS[method](task.space, seed)
    losses = [task.loss(suggester.ask(number)) for number in range(1, max(_AT) + 1)]
    return [task.regret(min(losses[:at])) for at in _AT]
