"""Prints what our suggestions cost, each measured in its own process."""

from __future__ import annotations

import multiprocessing
import resource
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.suggest_functions import in_shares
from benchmarks.suggest_problems import problem
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.space import Categorical, Continuous, Space
from tuning_operator.core.suggest import SuggestRequest, suggest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.suggest_functions import Problem

_REPEATS = 3
_PENDING = 3
_CASES = (
    *(("mixed", observations, slots) for observations in (50, 100, 300, 900) for slots in (1, 16)),
    *((name, observations, 1) for name in ("wide", "categories") for observations in (100, 300)),
)


def print_costs() -> None:
    """Print median seconds and peak memory for 9 mixed parameters, 64 continuous ones, and 64 categorical ones."""
    print(f"{'parameters':12}{'observations':>12}{'slots':>7}{'seconds':>10}{'peak MiB':>10}")
    context = multiprocessing.get_context("spawn")
    for name, observations, slots in _CASES:
        with context.Pool(1) as pool:
            seconds, peak = pool.apply(measure, (name, observations, slots))
        print(f"{name:12}{observations:12}{slots:7}{seconds:10.3f}{peak:10.0f}", flush=True)


def _wide() -> Problem:
    """Return a bowl in 12 of 64 parameters."""
    centre = np.random.default_rng(1).random(12)

    def loss(point: Mapping[str, Any]) -> float:
        return float(sum((point[f"x{place}"] - at) ** 2 for place, at in enumerate(centre)))

    return in_shares("wide", Space(tuple(Continuous(f"x{place}", 0.0, 1.0) for place in range(64))), loss, 0.0)


def _categories() -> Problem:
    """Return 64 parameters of 128 categories each, of which 12 matter."""
    losses = np.random.default_rng(1).random((12, 128))
    categories = tuple(str(level) for level in range(128))

    def loss(point: Mapping[str, Any]) -> float:
        return float(sum(each[int(point[f"c{place}"])] for place, each in enumerate(losses)))

    space = Space(tuple(Categorical(f"c{place}", categories) for place in range(64)))
    return in_shares("categories", space, loss, float(losses.min(1).sum()))


def measure(name: str, observations: int, slots: int) -> tuple[float, float]:
    """Return median seconds of one core for a request beside unfinished trials, and peak memory in MiB."""
    import torch  # noqa: PLC0415 - imported in the measured process alone

    torch.set_num_threads(1)
    task = {"mixed": lambda: problem("training"), "wide": _wide, "categories": _categories}[name]()
    generator = np.random.default_rng(0)
    rows = task.space.spread(generator.random((observations + _PENDING, len(task.space.parameters))))
    points = [task.space.decode(row) for row in rows]
    history = tuple(Observation(point, task.loss(point)) for point in points[:observations])
    pending = tuple(points[observations:])
    seconds = []
    for seed in range(_REPEATS):
        numbers = tuple(range(len(rows) + 1, len(rows) + 1 + slots))
        request = SuggestRequest(task.space, Goal.MINIMIZE, Strategy.BAYESIAN, seed, numbers, history, pending)
        if seed == 0:
            suggest(request)  # imports and warms up
        began = time.process_time()
        suggest(request)
        seconds.append(time.process_time() - began)
    return float(np.median(seconds)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
