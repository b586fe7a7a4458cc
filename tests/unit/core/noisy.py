"""A task of made curves for the tests of replays."""

from __future__ import annotations

import numpy as np

from benchmarks.early_stopping_tasks import Task
from tuning_operator.core.model.curves import Goal


def noisy_task(goal: Goal) -> Task:
    """Saturating curves of different heights and speeds, a tenth of them diverging."""
    rng = np.random.default_rng(3)
    epochs = np.arange(1, 25)
    heights, speeds = rng.beta(2, 2, size=(2, 120, 1))
    curves = heights * (1 - np.exp(-epochs * (0.02 + speeds / 3))) + rng.normal(0, 0.01, size=(120, 24))
    for run in range(0, 120, 10):
        curves[run, rng.integers(1, 24) :] = np.nan
    original = curves if goal is Goal.MAXIMIZE else -curves
    oriented = np.where(np.isnan(curves), -np.inf, curves)
    return Task("noisy", oriented, rng.uniform(size=(120, 2)), ("a", "b"), goal, original)
