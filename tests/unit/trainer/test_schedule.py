from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from tuning_trainer.image_classification.hyperparameters import HyperparameterError, Hyperparameters, read
from tuning_trainer.image_classification.schedule import rate, set_rate

HP = Hyperparameters(data="/tmp", learning_rate=0.4, epochs=10)


def test_the_rate_is_constant_unless_a_schedule_is_asked_for() -> None:
    assert {rate(HP, epochs) for epochs in (0.01, 3.5, 9.99)} == {0.4}


def test_steps_are_those_of_sagemaker() -> None:
    hp = replace(HP, lr_scheduler_step=(2, 5), lr_scheduler_factor=0.5)
    assert hp.schedule == "step"
    rates = [rate(hp, epochs) for epochs in (1.99, 2.01, 4.99, 5.01, 9.99)]
    assert rates == pytest.approx([0.4, 0.2, 0.2, 0.1, 0.1])


@pytest.mark.parametrize(("schedule", "middle"), [("cosine", 0.2), ("linear", 0.2)])
def test_a_decay_starts_after_the_warm_up_and_ends_at_nothing(schedule: str, middle: float) -> None:
    hp = replace(HP, lr_schedule=schedule, warmup_epochs=2)
    assert rate(hp, 0.5) == pytest.approx(0.1)
    assert rate(hp, 2) == pytest.approx(0.4)
    assert rate(hp, 6) == pytest.approx(middle)
    assert rate(hp, 10) == pytest.approx(0, abs=1e-12)
    falling = [rate(hp, epochs / 10) for epochs in range(20, 101)]
    assert all(before > after for before, after in pairwise(falling))


def test_a_cosine_is_flat_at_both_ends() -> None:
    hp = replace(HP, lr_schedule="cosine")
    assert rate(hp, 1) > 0.4 * 0.97
    assert rate(hp, 9) < 0.4 * 0.03


def test_a_rate_is_set_for_all_weights() -> None:
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.SGD([{"params": weights[:1]}, {"params": weights[1:]}], lr=1)
    set_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lr_schedule": "step"}, "lr_scheduler_step is missing for lr_schedule step: give the epochs after which"),
        ({"warmup_epochs": 5, "epochs": 5}, "warmup_epochs is 5 of 5 epochs: give less"),
        ({"lr_scheduler_step": "10,5"}, "give epochs in rising order, as in 10,15"),
        ({"lr_scheduler_step": "5,5"}, "give epochs in rising order, as in 10,15"),
        ({"lr_scheduler_step": "0"}, "give epochs in rising order, as in 10,15"),
        ({"lr_scheduler_factor": 1}, "give a number between 0 and 1"),
        ({"lr_schedule": "cosin"}, "give one of constant, step, cosine, linear"),
        ({"warmup_epochs": "-1"}, "give a number from 0, less than epochs"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(HyperparameterError) as caught:
        read(["--data", "/tmp"], {f"HP_{name}": str(value) for name, value in values.items()})
    assert words in str(caught.value)


def test_a_search_over_schedules_may_give_all_the_same_steps() -> None:
    """As other values that only one kind uses, these are left alone by the others."""
    hp = read(["--data", "/tmp", "--lr-schedule=cosine", "--lr-scheduler-step", "3, 6"], {})
    assert (hp.schedule, hp.lr_scheduler_step) == ("cosine", (3, 6))
