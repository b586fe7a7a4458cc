"""Replays a tuning study on recorded curves in virtual time, with asynchronous workers and a rule that stops runs.

Every rule sees the same studies: same runs, same order, same speeds.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from benchmarks.early_stopping_tasks import Array, Task


class Study:
    """What is known at a moment of a study; rules read it.

    Attributes:
        curves: Trials x epochs, higher is better; only the first `done[i]` epochs of trial i have happened.
        best: The best value of each trial up to each epoch.
        means: The running average of each trial up to each epoch.
        done: Epochs that each trial has finished.
        completed: Trials that ran to the end, in the order in which they ended.
        ended: Those and the stopped ones, in order.
        started: Trials that have been started.
        asked: What a rule was last asked about a trial, for rules that need not answer twice.
    """

    def __init__(self, task: Task, runs: npt.NDArray[np.int64], seconds: Array) -> None:
        self.task = task
        self.runs = runs
        self.curves = task.curves[runs]
        self.best = np.maximum.accumulate(self.curves, axis=1)
        self.means = np.cumsum(self.curves, axis=1) / np.arange(1, self.curves.shape[1] + 1)
        self.seconds = seconds
        self.length = self.curves.shape[1]
        self.done = [0] * len(runs)
        self.completed: list[int] = []
        self.ended: list[int] = []
        self.started: list[int] = []
        self.asked: dict[int, tuple[float, ...]] = {}


class Rule(Protocol):
    """Whether a trial is stopped, asked after each of its epochs but the last."""

    def __call__(self, study: Study, trial: int, /) -> bool: ...


@dataclass(frozen=True)
class Outcome:
    """One replayed study."""

    saved: float
    regret: float
    missed: bool
    makespan: float


def studies(task: Task, trials: int, replays: int, seed: int) -> Iterator[tuple[npt.NDArray[np.int64], Array]]:
    """Draw the runs of each study and how long an epoch of each takes (the fastest to the slowest: 1 to 2)."""
    for replay in range(replays):
        rng = np.random.default_rng([seed, replay, trials])
        runs = rng.choice(len(task.curves), size=trials, replace=trials > len(task.curves))
        yield runs, rng.uniform(1.0, 2.0, size=trials)


def replay(study: Study, rule: Rule, workers: int) -> Outcome:
    """Run the study to its end."""
    running: list[tuple[float, int]] = []
    waiting = iter(range(len(study.runs)))
    now = 0.0

    def start() -> None:
        trial = next(waiting, None)
        if trial is not None:
            study.started.append(trial)
            heapq.heappush(running, (now + study.seconds[trial], trial))

    for _ in range(workers):
        start()
    while running:
        now, trial = heapq.heappop(running)
        study.done[trial] += 1
        if study.done[trial] == study.length:
            study.completed.append(trial)
        elif not rule(study, trial):
            heapq.heappush(running, (now + study.seconds[trial], trial))
            continue
        study.ended.append(trial)
        start()
    return _outcome(study, now)


def keep_top(study: Study, share: float, kept: int, workers: int) -> Outcome:
    """Train all trials for a share of their epochs, then only the best few to their end.

    No rule for asynchronous workers can do that: it starts every trial first and must be able to resume them.
    """
    first = max(1, round(share * study.length))
    ranked = np.argsort(-study.curves[:, first - 1], kind="stable")
    study.done = [first] * len(study.runs)
    for trial in ranked[:kept].tolist():
        study.done[trial] = study.length
        study.completed.append(trial)
    return _outcome(study, float(np.dot(study.done, study.seconds)) / workers)


def _outcome(study: Study, now: float) -> Outcome:
    finals = study.curves[:, -1]
    found = max((finals[trial] for trial in study.completed), default=-np.inf)
    best = float(np.max(finals))
    regret = (best - found) / study.task.scale if found < best else 0.0
    return Outcome(
        saved=1.0 - sum(study.done) / (study.length * len(study.runs)),
        regret=regret,
        missed=bool(found < best),
        makespan=now,
    )
