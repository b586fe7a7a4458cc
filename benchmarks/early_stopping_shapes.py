"""Makes learning curves of shapes that recorded ones lack: schedules, other lengths, noise, late risers, passing NaNs.

Each shape is a model of a training in a few lines, not of a data set. A setting draws its constants once; its two seeds
differ by noise alone, so that a loss can be compared with the difference between two seeds of one setting. All values
are accuracies or returns: higher is better.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.early_stopping_tasks import Task
from tuning_operator.core.model.curves import Goal

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.early_stopping_tasks import Array

    Rng = np.random.Generator

SETTINGS, SEEDS, EPOCHS = 150, 2, 50
LENGTHS = np.array([5, 20, 50])
PASSING = 0.02
"""Share of the epochs that are NaN, one at a time."""


def warmed_up(share: Array, warmup: float = 0.08) -> Array:
    """Learning rate over the training as a share of its peak: linear warm-up, cosine to 0."""
    decayed = (1 + np.cos(np.pi * (share - warmup) / (1 - warmup))) / 2
    return np.where(share < warmup, share / warmup, decayed)


def stepped(share: Array) -> Array:
    """A tenth of the learning rate after half of the training, a hundredth after three quarters."""
    return np.where(share < 0.5, 1.0, np.where(share < 0.75, 0.1, 0.01))


def trained(rate: Array, schedule: Array, rng: Rng) -> Array:
    """Accuracy of runs under a schedule: high rates learn more, and show it once the rate is low.

    Args:
        rate: Peak learning rate of each run, as power of ten around what is best.
        schedule: Runs x epochs, the rate as a share of its peak.
        rng: Draws each setting's own height and speed.
    """
    runs = len(rate)
    height = _each_setting(0.75 + 0.04 * rng.normal(size=runs))
    speed = 9 * 10**rate * _each_setting(np.exp(0.3 * rng.normal(size=runs)))
    progress = np.cumsum(schedule, axis=1) / schedule.shape[1]
    learned = height[:, None] * (1 - np.exp(-speed[:, None] * progress))
    blurred = 0.25 * (10 ** rate[:, None] * schedule) ** 0.7
    too_high = 0.3 * np.maximum(0, rate - 0.4)[:, None]
    return np.asarray(np.maximum(0.01, learned - blurred - too_high))


def schedule(name: str, shape: Callable[[Array], Array], seed: int) -> Task:
    """A task whose learning rates follow a schedule, all runs of one length."""
    rng = np.random.default_rng([seed, 1])
    rate = _each_setting(rng.uniform(-1.2, 0.6, size=SETTINGS * SEEDS))
    shares = np.tile((np.arange(EPOCHS) + 0.5) / EPOCHS, (len(rate), 1))
    curves = trained(rate, shape(shares), rng) + rng.normal(0, 0.004, size=shares.shape)
    return _task(name, curves, {"rate": rate})


def scaled_schedules(seed: int) -> Task:
    """A cosine with warm-up over 5, 20 or 50 epochs, whichever the run has."""
    rng = np.random.default_rng([seed, 2])
    rate = _each_setting(rng.uniform(-1.2, 0.6, size=SETTINGS * SEEDS))
    lengths = _each_setting(rng.choice(LENGTHS, size=len(rate)))
    share = np.minimum(1, (np.arange(EPOCHS) + 0.5) / lengths[:, None])
    learned = trained(rate, warmed_up(share), rng)
    more = 0.05 * np.log2(lengths / EPOCHS) / np.log2(10)
    curves = learned + more[:, None] + rng.normal(0, 0.004, size=share.shape)
    return _task("schedules scaled to the length", _ended(curves, lengths), {"rate": rate, "epochs": lengths})


def searched_lengths(seed: int) -> Task:
    """Constant rates, 5, 20 or 50 epochs: the same curve, cut."""
    rng = np.random.default_rng([seed, 3])
    lengths = _each_setting(rng.choice(LENGTHS, size=SETTINGS * SEEDS))
    curves = _saturating(rng) + rng.normal(0, 0.006, size=(len(lengths), EPOCHS))
    return _task("5, 20 or 50 epochs", _ended(curves, lengths), {"epochs": lengths})


def noisy_returns(seed: int) -> Task:
    """Returns of reinforcement learning: a late rise, noise that lasts, and collapses that are overcome."""
    rng = np.random.default_rng([seed, 4])
    runs, epochs = SETTINGS * SEEDS, np.arange(EPOCHS)
    height = _each_setting(rng.beta(2, 2, size=runs))[:, None]
    onset = _each_setting(rng.uniform(2, 30, size=runs))[:, None]
    rise = height / (1 + np.exp(-(epochs - onset) / (2 + 4 * rng.uniform(size=(runs, 1)))))
    noise = np.zeros((runs, EPOCHS))
    for epoch in range(1, EPOCHS):
        noise[:, epoch] = 0.7 * noise[:, epoch - 1] + rng.normal(0, 0.05, size=runs)
    collapsed = rng.uniform(size=noise.shape) < PASSING
    return _task("noisy returns", np.where(collapsed, 0.2, 1.0) * rise + noise, {})


def grokking(seed: int) -> Task:
    """Flat, and then up within a few epochs: some early, some late, some not before the end."""
    rng = np.random.default_rng([seed, 5])
    runs = SETTINGS * SEEDS
    onset = _each_setting(EPOCHS * 10 ** rng.uniform(-0.8, 0.2, size=runs)) * np.exp(0.05 * rng.normal(size=runs))
    width = _each_setting(rng.uniform(1, 4, size=runs))
    height = _each_setting(rng.uniform(0.6, 0.9, size=runs))
    rise = height[:, None] / (1 + np.exp(-(np.arange(EPOCHS) - onset[:, None]) / width[:, None]))
    return _task("grokking", 0.1 + rise + rng.normal(0, 0.005, size=rise.shape), {})


def jumps(seed: int) -> Task:
    """Saturating curves, of which one in ten leaps to the top at some time, wherever it was."""
    rng = np.random.default_rng([seed, 6])
    curves, runs = _saturating(rng), SETTINGS * SEEDS
    leaps = _each_setting(rng.uniform(size=runs)) < 0.1
    top = _each_setting(rng.uniform(0.85, 1, size=runs))[:, None]
    when = np.where(leaps, _each_setting(rng.uniform(0.1, 0.9, size=runs)), 1.0)[:, None] * EPOCHS
    risen = np.where(np.arange(EPOCHS) > when, np.maximum(curves, top), curves)
    return _task("a few jump", risen + rng.normal(0, 0.005, curves.shape), {})


def with_passing_nans(task: Task, seed: int) -> Task:
    """The same task with single epochs that are NaN, the last of a run excepted."""
    lost = np.random.default_rng([seed, 7]).uniform(size=task.curves.shape) < PASSING
    lost[:, 1:] &= ~lost[:, :-1]
    lost[np.arange(len(lost)), task.lengths - 1] = False
    curves, original = np.where(lost, -np.inf, task.curves), np.where(lost, np.nan, task.original)
    return replace(task, name=f"{task.name}, NaNs", curves=curves, original=original)


def with_lengths(task: Task, seed: int) -> Task:
    """The same task, each run cut to a tenth, two fifths or all of its epochs, as its hyperparameter `epochs` says."""
    runs, epochs = task.curves.shape
    parts = np.maximum(2, np.round(LENGTHS / LENGTHS[-1] * epochs)).astype(int)
    lengths = np.random.default_rng([seed, 8]).choice(parts, size=runs)
    return replace(
        task,
        name=f"{task.name}, lengths",
        curves=_ended(task.curves, lengths, -np.inf),
        original=_ended(task.original, lengths),
        hyperparameters=np.column_stack([task.hyperparameters, lengths]),
        names=(*task.names, "epochs"),
        lengths=lengths,
    )


def shapes(seed: int) -> dict[str, list[Task]]:
    """All made tasks by family."""
    return {
        "schedules, made": [schedule("warm-up, cosine", warmed_up, seed), schedule("steps", stepped, seed)],
        "different lengths, made": [searched_lengths(seed), scaled_schedules(seed)],
        "noisy returns": [noisy_returns(seed)],
        "late risers": [grokking(seed), jumps(seed)],
    }


def _each_setting(values: Array) -> Array:
    """The seeds of a setting share what was drawn for its first one."""
    return np.repeat(values[::SEEDS], SEEDS)


def _saturating(rng: Rng) -> Array:
    runs = SETTINGS * SEEDS
    height = _each_setting(rng.beta(4, 2, size=runs))[:, None]
    speed = _each_setting(np.exp(rng.normal(-1.5, 0.7, size=runs)))[:, None]
    return np.asarray(height * (1 - np.exp(-speed * np.arange(1, EPOCHS + 1))))


def _ended(curves: Array, lengths: Array, nothing: float = np.nan) -> Array:
    return np.where(np.arange(curves.shape[1]) < lengths[:, None], curves, nothing)


def _task(name: str, curves: Array, hyperparameters: dict[str, Array]) -> Task:
    runs = len(curves)
    columns = {**hyperparameters, "setting": np.arange(runs) // SEEDS, "seed": np.arange(runs) % SEEDS}
    lengths = hyperparameters.get("epochs")
    return Task(
        name,
        np.where(np.isfinite(curves), curves, -np.inf),
        np.column_stack(list(columns.values())).astype(np.float64),
        tuple(columns),
        Goal.MAXIMIZE,
        curves,
        lengths=np.full(runs, curves.shape[1]) if lengths is None else lengths.astype(int),
    )
