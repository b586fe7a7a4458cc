"""The benchmark's quick forms of the rules stop the same trials at the same epochs as the operator's own code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.early_stopping_replay import Pauses, Study, replay, studies
from benchmarks.early_stopping_rules import LITERAL, auto, median, never, product
from benchmarks.early_stopping_tasks import read_tasks
from tests.unit.core.noisy import noisy_task
from tuning_operator.core.model.curves import Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType, MedianKnobs

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.early_stopping_replay import Rule


def median_config(knobs: MedianKnobs) -> EarlyStopping:
    return EarlyStopping(EarlyStoppingType.MEDIAN, knobs)


@pytest.mark.parametrize("goal", Goal)
@pytest.mark.parametrize(
    ("quick", "config"),
    [
        (median(MedianKnobs()), median_config(MedianKnobs())),
        (median(LITERAL), median_config(LITERAL)),
        (median(MedianKnobs(quantile=0.8)), median_config(MedianKnobs(quantile=0.8))),
        (auto(), EarlyStopping(EarlyStoppingType.AUTO)),
    ],
    ids=["guarded", "literal", "quantile", "auto"],
)
def test_quick_forms_agree_with_the_operator(goal: Goal, quick: Rule, config: EarlyStopping) -> None:
    task = noisy_task(goal)
    stopped = 0
    for runs, seconds in studies(task, trials=12, replays=4, seed=1):
        one, other = Study(task, runs, seconds), Study(task, runs, seconds)
        replay(one, quick, workers=3)
        replay(other, product(config), workers=3)
        assert one.done == other.done
        stopped += sum(done < one.length for done in one.done)
    assert stopped > 3


def test_without_a_rule_nothing_is_saved_and_nothing_lost() -> None:
    task = noisy_task(Goal.MAXIMIZE)
    runs, seconds = next(studies(task, trials=10, replays=1, seed=1))

    outcome = replay(Study(task, runs, seconds), never, workers=2)

    assert (outcome.saved, outcome.regret, outcome.missed) == (0.0, 0.0, False)


def test_a_pause_is_taken_back_when_no_new_trial_is_left() -> None:
    """Paused at the first epoch, all but the first resume at the end, the best so far first."""
    task = noisy_task(Goal.MAXIMIZE)
    runs, seconds = next(studies(task, trials=6, replays=1, seed=1))
    study = Study(task, runs, seconds)

    outcome = replay(study, never, 1, Pauses(lambda _, trial: trial > 0))

    assert outcome.resumptions == 4, "the last one has nobody to give way to"
    assert outcome.resumed == pytest.approx(4 / 6)
    assert (outcome.saved, outcome.missed) == (0.0, False)
    waited = [trial for trial in study.completed if 0 < trial < 5]
    assert waited == sorted(waited, key=lambda trial: -study.best[trial, 0])


def test_what_is_paused_and_out_of_reach_is_not_trained_on() -> None:
    task = noisy_task(Goal.MAXIMIZE)
    runs, seconds = next(studies(task, trials=6, replays=1, seed=1))
    study = Study(task, runs, seconds)

    outcome = replay(study, lambda _, trial: trial in {2, 3}, 1, Pauses(lambda _, trial: trial in {1, 2, 3}, cost=0.1))

    assert [study.done[trial] for trial in range(6)] == [24, 24, 1, 1, 24, 24]
    assert outcome.resumptions == 1
    assert outcome.makespan == pytest.approx(float(np.dot(study.done, seconds)) + 0.1 * 24 * seconds[1])


def test_losing_the_best_is_seen() -> None:
    task = noisy_task(Goal.MAXIMIZE)
    runs, seconds = next(studies(task, trials=10, replays=1, seed=1))
    best = int(np.argmax(task.finals[runs]))

    outcome = replay(Study(task, runs, seconds), lambda _, trial: trial == best, workers=2)

    second = np.sort(task.finals[runs])[-2]
    assert outcome.missed
    assert outcome.saved == pytest.approx(23 / 240)
    assert outcome.regret == pytest.approx((task.finals[runs[best]] - second) / task.scale)


def test_reading_tasks(tmp_path: Path) -> None:
    losses = np.linspace(1.0, 0.5, 200)[None, :] * np.ones((3, 1))
    np.savez(tmp_path / "one.npz", curves=losses, hyperparameters=np.ones((3, 2)), names=["lr", "depth"])
    np.savez(tmp_path / "two.npz", a__curve=-losses, a__hp=np.ones((3, 1)), a__goal="Maximize")
    stack = np.stack([losses, losses])
    np.savez(tmp_path / "x.npz", valid_loss=stack, tasks=["t", "u"], hp=np.ones((3, 1)), hp_names=["lr"])

    tasks = {task.name: task for task in read_tasks(tmp_path, checkpoints=50)}

    assert set(tasks) == {"one", "a", "t", "u"}
    assert tasks["one"].goal is Goal.MINIMIZE
    assert tasks["one"].names == ("lr", "depth")
    assert tasks["a"].goal is Goal.MAXIMIZE
    assert tasks["one"].curves.shape == (3, 50)
    np.testing.assert_allclose(tasks["one"].finals, -0.5)
    np.testing.assert_allclose(tasks["t"].curves, -tasks["t"].original)
