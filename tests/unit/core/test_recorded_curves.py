"""The curves that the project recorded itself: what they are, and that early stopping works on them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from benchmarks.early_stopping import by_rule, measure
from benchmarks.early_stopping_rules import RULES
from benchmarks.early_stopping_tasks import OWN, Task, read_tasks
from tuning_operator.core.model.curves import Goal


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {task.name: task for task in read_tasks(OWN, checkpoints=100)}


@pytest.fixture(scope="module")
def own(tasks: dict[str, Task]) -> Task:
    return tasks["fashion_mnist_small"]


@pytest.mark.parametrize("name", ["fashion_mnist_schedules", "fashion_mnist_lengths"])
def test_others_are_enough_as_well(tasks: dict[str, Task], name: str) -> None:
    task = tasks[name]
    assert len(task.curves) >= 100
    assert task.names == tuple(parameter.name for parameter in task.space.parameters)
    assert len(np.unique(task.hyperparameters, axis=0)) == len(task.curves)
    assert task.scale > 0.02, "the hyperparameters hardly matter: what is there to tune?"
    assert (OWN / f"{name}.npz").stat().st_size < 100_000


def test_the_lengths_are_those_that_a_hyperparameter_says(tasks: dict[str, Task]) -> None:
    task = tasks["fashion_mnist_lengths"]
    said = task.hyperparameters[:, task.names.index("epochs")]
    assert np.array_equal(task.lengths, said.astype(int))
    assert len(set(task.lengths.tolist())) > 10
    assert np.isfinite(task.finals).all()


def test_ranks_are_decided_later_where_the_learning_rate_decays(tasks: dict[str, Task]) -> None:
    early = {}
    for name in ("fashion_mnist_small", "fashion_mnist_schedules"):
        curves = tasks[name].curves
        better = curves[:, -1] >= np.median(curves[:, -1])
        fifth = curves[better, curves.shape[1] // 5]
        early[name] = kendalltau(fifth, curves[better, -1]).statistic
    assert early["fashion_mnist_schedules"] < early["fashion_mnist_small"]


def test_they_are_enough_and_worth_tuning(own: Task) -> None:
    runs, epochs = own.curves.shape
    assert runs >= 100
    assert epochs == 10
    assert own.goal is Goal.MAXIMIZE
    assert own.names == tuple(parameter.name for parameter in own.space.parameters)
    assert own.scale > 0.02, "the hyperparameters hardly matter: what is there to tune?"
    assert len(np.unique(own.hyperparameters, axis=0)) == runs
    assert (OWN / f"{own.name}.npz").stat().st_size < 100_000


def test_auto_is_safe_on_them_and_the_literal_rule_is_not(own: Task) -> None:
    auto, literal = (
        measure(name, by_rule(RULES[name]), own, trials=20, workers=2, replays=100, seed=0)
        for name in ("Auto", "SageMaker, literal")
    )
    assert auto.saved > 0.15
    assert auto.regret < 0.01
    assert literal.missed > 3 * auto.missed
