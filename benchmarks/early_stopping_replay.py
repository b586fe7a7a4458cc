"""Replays a tuning study on recorded curves in virtual time, with asynchronous workers and a rule that stops runs.

Every rule sees the same studies: same runs, same order, same speeds.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    import numpy.typing as npt

    from benchmarks.early_stopping_tasks import Array, Task


class Study:
    """What is known at a moment of a study; rules read it.

    Attributes:
        curves: Trials x epochs, higher is better; only the first `done[i]` epochs of trial i have happened.
        lengths: How many epochs each trial has.
        finals: What it counts by: its last value, or its best one.
        passing: Where a value is a single NaN, which says nothing.
        values: The curves with such values bridged, as far as both neighbours are known.
        best: The best value of each trial up to each epoch.
        means: The running average of each trial up to each epoch.
        done: Epochs that each trial has finished.
        completed: Trials that ran to the end, in the order in which they ended.
        ended: Those and the stopped ones, in order.
        started: Trials that have been started.
        asked: What each rule was last asked about a trial, for rules that need not answer twice.
    """

    def __init__(self, task: Task, runs: npt.NDArray[np.int64], seconds: Array) -> None:
        self.task = task
        self.runs = runs
        self.curves = task.curves[runs]
        self.lengths = task.lengths[runs]
        self.finals = task.finals[runs]
        self.passing = _passing(self.curves, self.lengths)
        self.values = _bridged(self.curves, self.passing)
        self.best = np.maximum.accumulate(self.values, axis=1)
        self.means = np.cumsum(self.values, axis=1) / np.arange(1, self.curves.shape[1] + 1)
        self._known = _known(self.curves, self.lengths)
        self._lengths = self.lengths.tolist()
        self._alike = len(set(self._lengths)) == 1
        self.seconds = seconds
        self.length = self.curves.shape[1]
        self.done = [0] * len(runs)
        self.completed: list[int] = []
        self.ended: list[int] = []
        self.started: list[int] = []
        self.asked: defaultdict[Hashable, dict[int, tuple[float, ...]]] = defaultdict(dict)

    def known(self, trial: int) -> int:
        """Up to which epoch a trial may be judged: a NaN that came once says nothing yet, but at the end."""
        return self._known[trial][self.done[trial]]

    def is_in_doubt(self, trial: int) -> bool:
        """Whether its length is: while those of all completed trials are alike, and unlike its own."""
        if self._alike or not self.completed:
            return False
        lengths = {self._lengths[other] for other in self.completed}
        return len(lengths) == 1 and self._lengths[trial] not in lengths


class Rule(Protocol):
    """Whether a trial is stopped, asked after each of its epochs but the last."""

    def __call__(self, study: Study, trial: int, /) -> bool: ...


@dataclass(frozen=True)
class Pauses:
    """Trials are paused as long as new ones are left to start, and resumed at most once.

    Attributes:
        rule: Whether a trial is paused.
        cost: Of a resumption, as a share of the trial's length.
    """

    rule: Rule
    cost: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """One replayed study.

    Attributes:
        saved: Share of all epochs that were not trained; resumptions cost nothing here.
        resumptions: How many trials were resumed after a pause,
        resumed: and their share of all epochs, whether they trained them or not.
        lost: What the best completed trial falls short of the best there was, in the metric's own units.
        regret: The same as a share of the task's scale.
    """

    saved: float
    regret: float
    missed: bool
    makespan: float
    lost: float
    resumptions: int = 0
    resumed: float = 0.0


def studies(task: Task, trials: int, replays: int, seed: int) -> Iterator[tuple[npt.NDArray[np.int64], Array]]:
    """Draw the runs of each study and how long an epoch of each takes (the fastest to the slowest: 1 to 2)."""
    for replay in range(replays):
        rng = np.random.default_rng([seed, replay, trials])
        runs = rng.choice(len(task.curves), size=trials, replace=trials > len(task.curves))
        yield runs, rng.uniform(1.0, 2.0, size=trials)


def replay(study: Study, rule: Rule, workers: int, pauses: Pauses | None = None) -> Outcome:
    """Run the study to its end.

    With pauses, a slot that no new trial wants gets the paused trial with the best value so far among those that the
    rule would let continue.
    """
    running: list[tuple[float, int]] = []
    waiting, resumed = list(range(len(study.runs))), set[int]()
    paused: list[int] = []
    now = 0.0

    def start() -> bool:
        if waiting:
            trial, delay = waiting.pop(0), 0.0
            study.started.append(trial)
        else:
            study.asked.clear()
            worth = [trial for trial in paused if not rule(study, trial)]
            if not worth or pauses is None:
                return False
            trial = max(worth, key=lambda each: float(study.best[each, study.done[each] - 1]))
            paused.remove(trial)
            resumed.add(trial)
            delay = pauses.cost * float(study.lengths[trial] * study.seconds[trial])
        heapq.heappush(running, (now + delay + study.seconds[trial], trial))
        return True

    while len(running) < workers and start():
        pass
    while running:
        now, trial = heapq.heappop(running)
        study.done[trial] += 1
        may_pause = pauses is not None and bool(waiting) and trial not in resumed
        if study.done[trial] == study.lengths[trial]:
            study.completed.append(trial)
        elif pauses is not None and may_pause and pauses.rule(study, trial):
            paused.append(trial)
        elif may_pause or not rule(study, trial):
            heapq.heappush(running, (now + study.seconds[trial], trial))
            continue
        study.ended.append(trial)
        while len(running) < workers and start():
            pass
    return _outcome(study, now, sorted(resumed))


def keep_top(study: Study, share: float, kept: int, workers: int) -> Outcome:
    """Train all trials for a share of their epochs, then only the best few to their end.

    No rule for asynchronous workers can do that: it starts every trial first and must be able to resume them.
    """
    first = np.maximum(1, np.round(share * study.lengths)).astype(int)
    ranked = np.argsort(-study.curves[np.arange(len(first)), first - 1], kind="stable")
    study.done = first.tolist()
    for trial in ranked[:kept].tolist():
        study.done[trial] = int(study.lengths[trial])
        study.completed.append(trial)
    return _outcome(study, float(np.dot(study.done, study.seconds)) / workers)


def _passing(curves: Array, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Single values that are not finite, the last one of a run excepted."""
    lost = ~np.isfinite(curves)
    lost[np.arange(curves.shape[1]) >= lengths[:, None]] = True
    padded = np.pad(lost, ((0, 0), (1, 1)))
    single = padded[:, 1:-1] & ~padded[:, :-2] & ~padded[:, 2:]
    single[np.arange(len(curves)), lengths - 1] = False
    return np.asarray(single)


def _known(curves: Array, lengths: npt.NDArray[np.int64]) -> list[list[int]]:
    """For each trial and number of epochs that have happened, up to which one is known."""
    lost = ~np.isfinite(curves)
    once = lost & ~np.pad(lost, ((0, 0), (1, 0)))[:, :-1]
    once[np.arange(len(curves)), lengths - 1] = False
    happened = np.arange(1, curves.shape[1] + 1)
    return [[0, *row] for row in (happened - once).tolist()]


def _bridged(curves: Array, passing: npt.NDArray[np.bool_]) -> Array:
    bridged, epochs = curves.copy(), np.arange(curves.shape[1])
    for trial in np.flatnonzero(passing.any(axis=1)):
        lost = passing[trial]
        finite = np.isfinite(curves[trial])
        bridged[trial, lost] = np.interp(epochs[lost], epochs[finite], curves[trial, finite])
    return bridged


def _outcome(study: Study, now: float, resumed: Sequence[int] = ()) -> Outcome:
    finals = study.finals
    found = max((finals[trial] for trial in study.completed), default=-np.inf)
    best = float(np.max(finals))
    lost = float(best - found) if found < best else 0.0
    return Outcome(
        saved=float(1.0 - sum(study.done) / np.sum(study.lengths)),
        regret=lost / study.task.scale,
        missed=bool(found < best),
        makespan=now,
        lost=lost,
        resumptions=len(resumed),
        resumed=float(np.sum(study.lengths[list(resumed)]) / np.sum(study.lengths)),
    )
