"""Runs a whole job in virtual time: the operator's own decisions and suggestions, on recorded curves.

Nothing is real but what decides: every pass gives `decide` a snapshot, and what follows from it happens at once. Pods
replay the recorded run that is nearest to what was suggested, among those that are not taken yet; the trial gets that
run's parameters, so that the suggester learns of points that exist.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.curve_spaces import points
from tuning_operator.core.decide import decide
from tuning_operator.core.model.attempt import Attempt, Exit, History, Reading
from tuning_operator.core.model.conditions import Condition
from tuning_operator.core.model.curves import Curve
from tuning_operator.core.model.early_stopping import EarlyStopping, Hyperband
from tuning_operator.core.model.job import Job
from tuning_operator.core.model.snapshot import Snapshot
from tuning_operator.core.model.spec import JobSpec, Limits, Objective, Strategy
from tuning_operator.core.model.trial import Trial, TrialPhase
from tuning_operator.core.space import Categorical
from tuning_operator.core.suggest import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.early_stopping_tasks import Array, Task
    from tuning_operator.core.lifecycle.decision import Decision
    from tuning_operator.core.space import Value
    from tuning_operator.core.suggest import SuggestRequest

    View = Callable[[SuggestRequest, tuple[Trial, ...]], SuggestRequest]
    """Turns the operator's request to the suggester into the one that is sent."""

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = (1.0, 2.0)
"""An epoch of the fastest and of the slowest trial."""


@dataclass(frozen=True)
class Step:
    """What was known when a trial had ended: epochs trained by all trials, and the best objective."""

    epochs: int
    best: float


@dataclass
class VirtualJob:
    """A job and its cluster.

    Attributes:
        view: Turns the operator's request to the suggester into the one that is sent.
        steps: One for each trial that has ended, in that order.
    """

    task: Task
    limits: Limits
    stopping: EarlyStopping | Hyperband
    seed: int
    view: View = lambda request, _trials: request
    strategy: Strategy = Strategy.BAYESIAN
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        task = self.task
        objective = Objective("objective", task.goal)
        band = self.stopping if isinstance(self.stopping, Hyperband) else None
        early = EarlyStopping() if isinstance(self.stopping, Hyperband) else self.stopping
        spec = JobSpec(self.strategy, objective, task.space, self.limits, early, seed=self.seed, hyperband=band)
        self.job = Job("job", "virtual", "uid", 1, spec)
        self.now = BEGINNING
        self.trials: tuple[Trial, ...] = ()
        self.runs: dict[str, int] = {}
        self._pods: dict[str, Attempt] = {}
        self._done: dict[str, int] = {}
        self._seconds: dict[str, float] = {}
        self._due: list[tuple[float, str]] = []
        self._rng = np.random.default_rng([self.seed, 1])
        self._points = points(task.space, task.names, task.hyperparameters)
        self._rows = _spread_categories(task, self._points)

    @property
    def epochs(self) -> int:
        """Trained by all trials so far."""
        return sum(self._done.values())

    def end(self, trial: Trial) -> float:
        """The objective that a trial has, or would have, at the end of its run."""
        return self.task.goal.orient(float(self.task.finals[self.runs[trial.name]]))

    @property
    def clock(self) -> float:
        """Virtual seconds since the beginning."""
        return (self.now - BEGINNING).total_seconds()

    def run(self, most_epochs: float = math.inf) -> None:
        """Run the job to its end, or until this many epochs have been trained."""
        while not self.job.phase.is_final and self.epochs < most_epochs:
            while self._pass():
                pass
            if self._due:
                self._finish_epoch()

    def _pass(self) -> bool:
        """Decide and act once; whether anything has changed."""
        readings = {pod.name: Reading(self._curve(name)) for name, pod in self._pods.items()}
        pods = {name: (pod,) for name, pod in self._pods.items()}
        accepted = {"TemplateValid": Condition("TemplateValid", "True", "Accepted")}
        decision = decide(Snapshot(self.job, self.trials, pods, readings, self.now, conditions=accepted))
        changed = self._act(decision) or decision.phase is not self.job.phase
        self.job = replace(self.job, phase=decision.phase)
        return changed and not decision.phase.is_final

    def _act(self, decision: Decision) -> bool:
        before = self.trials
        self.trials = decision.trials
        for pod in decision.delete_attempts:
            name = next(name for name, other in self._pods.items() if other.uid == pod.uid)
            self._pods[name] = replace(pod, ended=True, finished=self.now, deletion_requested=self.now)
        for trial in decision.create_attempts:
            self._start(trial)
        if decision.suggest:
            for suggestion in suggest(self.view(decision.suggest, self.trials)):
                self._commit(suggestion.number, suggestion.parameters)
        for old, new in zip(before, decision.trials, strict=False):
            if new.phase.is_final and not old.phase.is_final:
                self.steps.append(Step(self.epochs, self._best()))
        return bool(decision.changed or decision.create_attempts or decision.delete_attempts or decision.suggest)

    def _commit(self, number: int, parameters: Mapping[str, Value]) -> None:
        taken = list(self.runs.values())
        distances = np.abs(self._rows - _spread_categories(self.task, [parameters])).sum(axis=1)
        distances[taken] = np.inf
        run = int(np.argmin(distances))
        trial = Trial(f"job-{number:04d}", number, self._points[run], number)
        self.runs[trial.name] = run
        self.trials = (*self.trials, trial)

    def _start(self, trial: Trial) -> None:
        self._pods[trial.name] = Attempt(trial.attempt_name, f"uid-{trial.name}", 1, created=self.now, started=self.now)
        self._done[trial.name] = 0
        self._seconds[trial.name] = float(self._rng.uniform(*SECONDS))
        heapq.heappush(self._due, (self.clock + self._seconds[trial.name], trial.name))

    def _finish_epoch(self) -> None:
        """Advance to the end of the next epoch of any Pod that still trains."""
        due, name = heapq.heappop(self._due)
        pod = self._pods[name]
        if pod.ended:
            return
        self.now = BEGINNING + timedelta(seconds=due)
        self._done[name] += 1
        if self._done[name] < self.task.original.shape[1]:
            heapq.heappush(self._due, (due + self._seconds[name], name))
            return
        history = History(self._curve(name), complete=True)
        self._pods[name] = replace(pod, exit=Exit(0), finished=self.now, ended=True, history=history)

    def _curve(self, name: str) -> Curve:
        values = self.task.original[self.runs[name], : self._done[name]]
        return Curve.of(enumerate(values.tolist(), start=1))

    def _best(self) -> float:
        """The best objective of the ended trials, higher is better; no worse than the worst finite one."""
        goal, finals = self.task.goal, self.task.finals
        known = [goal.orient(trial.objective) for trial in self.trials if trial.objective is not None]
        return max(*known, float(finals[np.isfinite(finals)].min()))

    @property
    def stopped(self) -> int:
        return sum(trial.phase is TrialPhase.EARLY_STOPPED for trial in self.trials)


def _spread_categories(task: Task, several: list[dict[str, Value]] | list[Mapping[str, Value]]) -> Array:
    """Encode points so that two different categories are as far apart as the ends of a number's range."""
    rows = task.space.encode(several)
    columns = []
    for place, parameter in enumerate(task.space.parameters):
        column = rows[:, [place]]
        if isinstance(parameter, Categorical):
            column = (column == np.arange(parameter.levels)) / 2
        columns.append(column)
    return np.hstack(columns)
