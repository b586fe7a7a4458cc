"""Whole jobs in virtual time: the operator's decisions on recorded curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.stopped_trials import ORACLES, VIEWS
from benchmarks.virtual_job import VirtualJob
from tests.unit.builders import SPACE, ended
from tests.unit.core.noisy import noisy_task
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType
from tuning_operator.core.model.observation import Observation
from tuning_operator.core.model.spec import Limits, Strategy
from tuning_operator.core.model.trial import TrialPhase
from tuning_operator.core.suggest import SuggestRequest

if TYPE_CHECKING:
    from benchmarks.early_stopping_tasks import Task
    from tuning_operator.core.model.trial import Trial


@pytest.fixture(scope="module")
def task() -> Task:
    return noisy_task(Goal.MINIMIZE)


def job(task: Task, stopping: EarlyStoppingType, seed: int = 1) -> VirtualJob:
    return VirtualJob(task, Limits(20, 2), EarlyStopping(stopping), seed, strategy=Strategy.RANDOM)


def test_without_early_stopping_everything_is_trained_and_the_best_run_found(task: Task) -> None:
    whole = job(task, EarlyStoppingType.OFF)
    whole.run()

    assert whole.epochs == 20 * 24
    assert len(set(whole.runs.values())) == 20, "a run was used twice"
    assert len(whole.steps) == 20
    assert whole.steps[-1].best == np.max(task.finals[list(whole.runs.values())])
    assert [step.epochs for step in whole.steps] == sorted(step.epochs for step in whole.steps)


@pytest.mark.slow
def test_early_stopping_saves_epochs_and_keeps_the_best(task: Task) -> None:
    saved, lost = [], []
    for seed in range(6):
        off, auto = job(task, EarlyStoppingType.OFF, seed), job(task, EarlyStoppingType.AUTO, seed)
        off.run()
        auto.run()
        assert off.runs == auto.runs, "random suggestions do not depend on what was stopped"
        assert sum(trial.phase is TrialPhase.EARLY_STOPPED for trial in auto.trials) == auto.stopped > 0
        saved.append(1 - auto.epochs / off.epochs)
        lost.append(off.steps[-1].best - auto.steps[-1].best)
    assert np.mean(saved) > 0.2
    assert np.mean(lost) / task.scale < 0.01


@pytest.mark.parametrize("goal", Goal)
@pytest.mark.parametrize(
    ("variant", "objective"),
    [
        ("last value", 0.2),
        ("best value", 0.25),
        ("typical end", 0.2 + 0.225),
        ("best end", 0.2 + 0.3),
        ("worst end", 0.15),
        ("unfinished", None),
        ("left out", None),
    ],
)
def test_what_can_be_told_of_a_stopped_trial(goal: Goal, variant: str, objective: float | None) -> None:
    sign = goal.orient(1.0)
    curves = [(0.1, 0.3, 0.6), (0.2, 0.3, 0.5), (0.1, 0.15, 0.15 + 0.25), (0.2, 0.1, 0.15), (0.25, 0.2)]
    trials = [ended(number, *(sign * value for value in curve)) for number, curve in enumerate(curves, start=1)]
    trials[-1] = ended(5, sign * 0.25, sign * 0.2, phase=TrialPhase.EARLY_STOPPED)
    observations = tuple(Observation(trial.parameters, trial.objective) for trial in trials)
    request = SuggestRequest(SPACE, goal, Strategy.BAYESIAN, 1, (6,), observations, ())

    answer = VIEWS[variant](request, tuple(trials))

    assert answer.observations[:4] == observations[:4]
    assert len(answer.observations) == (4 if objective is None else 5)
    assert len(answer.pending) == (1 if variant == "unfinished" else 0)
    if objective is not None:
        assert answer.observations[4].objective == pytest.approx(sign * objective)


@pytest.mark.parametrize(
    ("variant", "known"),
    [
        ("true end of stopped", {TrialPhase.COMPLETED, TrialPhase.EARLY_STOPPED}),
        ("true end of running", {TrialPhase.COMPLETED, TrialPhase.RUNNING}),
        ("all true ends", {TrialPhase.COMPLETED, TrialPhase.EARLY_STOPPED, TrialPhase.RUNNING}),
    ],
)
def test_what_an_oracle_knows_are_the_ends_of_runs(task: Task, variant: str, known: set[TrialPhase]) -> None:
    whole, found = job(task, EarlyStoppingType.AUTO), set()

    def view(request: SuggestRequest, trials: tuple[Trial, ...]) -> SuggestRequest:
        answer = ORACLES[variant](whole.end)(request, trials)
        objectives = {task.space.key(seen.parameters): seen.objective for seen in answer.observations}
        for trial in trials:
            objective = objectives.get(task.space.key(trial.parameters))
            if objective == whole.end(trial):
                found.add(trial.phase)
            else:
                assert repr(objective) == repr(trial.objective if trial.phase.is_final else None)
        assert len(answer.observations) + len(answer.pending) == len(trials)
        return answer

    whole.view = view
    whole.run()

    assert found == known
