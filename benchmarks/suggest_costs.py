"""Prints what our suggestions cost, each measured in its own process."""

from __future__ import annotations

import multiprocessing
import resource
import time

import numpy as np

from benchmarks.suggest_problems import problem
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Strategy
from tuning_operator.core.suggest import SuggestRequest, suggest

_REPEATS = 3


def print_costs() -> None:
    """Print median seconds and peak memory for 9 mixed parameters, from 50 to 1,000 observations."""
    print(f"{'observations':>12}{'slots':>7}{'seconds':>10}{'peak MiB':>10}")
    context = multiprocessing.get_context("spawn")
    for observations in (50, 200, 1000):
        for slots in (1, 16):
            with context.Pool(1) as pool:
                seconds, peak = pool.apply(measure, (observations, slots))
            print(f"{observations:12}{slots:7}{seconds:10.3f}{peak:10.0f}")


def measure(observations: int, slots: int) -> tuple[float, float]:
    """Return median seconds of one core for a request and the peak memory of this process in MiB."""
    import torch  # noqa: PLC0415 - imported in the measured process alone

    torch.set_num_threads(1)
    task = problem("training")
    generator = np.random.default_rng(0)
    rows = task.space.spread(generator.random((observations, len(task.space.parameters))))
    points = [task.space.decode(row) for row in rows]
    history = tuple(Observation(point, task.loss(point)) for point in points)
    seconds = []
    for seed in range(_REPEATS):
        numbers = tuple(range(observations + 1, observations + 1 + slots))
        request = SuggestRequest(task.space, Goal.MINIMIZE, Strategy.BAYESIAN, seed, numbers, history, ())
        if seed == 0:
            suggest(request)  # imports and warms up
        began = time.process_time()
        suggest(request)
        seconds.append(time.process_time() - began)
    return float(np.median(seconds)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
