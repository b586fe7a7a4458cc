"""Trials of different lengths are compared at the same share of their training, where a hyperparameter sets it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.unit import builders as build
from tuning_operator.core.model.curves import Curve, Goal
from tuning_operator.core.model.early_stopping import EarlyStopping, EarlyStoppingType
from tuning_operator.core.model.trial import StopDecision, Trial, TrialPhase
from tuning_operator.core.stopping import rule_for
from tuning_operator.core.stopping.grid import Grid
from tuning_operator.core.stopping.judging import judged
from tuning_operator.core.stopping.lengths import Lengths
from tuning_operator.core.stopping.savings import savings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.core.space import Value

AUTO = EarlyStopping(EarlyStoppingType.AUTO)


def trial(
    number: int, parameters: Mapping[str, Value], epochs: int, phase: TrialPhase = TrialPhase.COMPLETED, **more: float
) -> Trial:
    """A trial whose curve rises to `end` at its length, soon and then slowly, in steps from its first epoch on."""
    length, end, step, first = (more.get(name, usual) for name, usual in DEFAULTS.items())
    places = np.arange(first, epochs + first if first == 0 else epochs + 1, step)
    values = end * ((places + (first == 0)) / (length or epochs)) ** 0.1
    made = build.trial(number, phase, curve=Curve.from_lists(places, values))
    return replace(made, parameters=parameters)


DEFAULTS = {"length": 0.0, "end": 0.9, "step": 1.0, "first": 1.0}


def known(*trials: Trial) -> Lengths:
    return Lengths(Grid(Goal.MAXIMIZE, trials), trials)


def decision(trials: list[Trial]) -> StopDecision | None:
    return rule_for(AUTO, Goal.MAXIMIZE, trials)(trials[-1])


SHORT, MIDDLE = trial(1, {"epochs": 5, "lr": 0.1}, 5), trial(2, {"epochs": 20, "lr": 0.2}, 20)


@pytest.mark.parametrize(
    ("completed", "length", "parameter"),
    [
        ([SHORT, MIDDLE], 50, "epochs"),
        ([trial(1, {"epochs": "5"}, 5), trial(2, {"epochs": "20"}, 20)], 50, "epochs"),
        ([trial(1, {"epochs": 5.0}, 5), trial(2, {"epochs": 20.0}, 20)], 50, "epochs"),
        # counted from 0, and in strides of which the last ends before the training
        ([trial(1, {"epochs": 5}, 5, first=0), trial(2, {"epochs": 20}, 20, first=0)], 50, "epochs"),
        ([trial(1, {"epochs": 12}, 12, step=5, first=5), trial(2, {"epochs": 20}, 20, step=5, first=5)], 50, "epochs"),
        # one completed trial, or several that are alike, may be a coincidence
        ([SHORT], None, None),
        ([SHORT, trial(2, {"epochs": 5}, 5)], None, None),
        # nothing explains the lengths: as long as the longest
        ([trial(1, {"epochs": 9}, 5), trial(2, {"epochs": 20}, 20)], 20, None),
        ([trial(1, {"lr": 0.1}, 5), trial(2, {"lr": 0.2}, 20)], 20, None),
        ([trial(1, {"epochs": "many"}, 5), trial(2, {"epochs": "more"}, 20)], 20, None),
        ([], 0, None),
    ],
)
def test_the_hyperparameter_that_equals_the_epochs_is_the_length(
    completed: list[Trial], length: float | None, parameter: str | None
) -> None:
    running = replace(trial(9, {"epochs": 50}, 3, TrialPhase.RUNNING), name="running")
    lengths = known(*completed, running)
    assert (lengths.of("running"), lengths.parameter) == (length, parameter)


def test_alike_trials_have_one_length_whatever_their_hyperparameters() -> None:
    layers = [trial(number, {"layers": 5}, 5) for number in (1, 2)]
    assert known(*layers, trial(9, {"layers": 5}, 2, TrialPhase.RUNNING)).of("job-0009") == 5
    assert known(*layers, trial(9, {"layers": 3}, 2, TrialPhase.RUNNING)).of("job-0009") is None, "in doubt"
    assert known(*layers, trial(9, {"layers": 3}, 4, TrialPhase.RUNNING)).of("job-0009") == 5, "a fourth epoch of 3"
    third, running = trial(3, {"layers": 2}, 5), trial(9, {"layers": 3}, 2, TrialPhase.RUNNING)
    assert known(*layers, third, running).of("job-0009") == 5, "five epochs of 2"


def test_two_that_explain_the_lengths_and_disagree_leave_a_trial_in_doubt() -> None:
    both = [trial(1, {"epochs": 5, "units": 5}, 5), trial(2, {"epochs": 20, "units": 20}, 20)]
    assert known(*both, trial(9, {"epochs": 50, "units": 10}, 3, TrialPhase.RUNNING)).of("job-0009") is None
    assert known(*both, trial(9, {"epochs": 50, "units": 50}, 3, TrialPhase.RUNNING)).of("job-0009") == 50


def test_a_long_trial_is_compared_at_the_same_share() -> None:
    """After 5 of 50 epochs it is where the others were after 2 of 20, and far behind them at epoch 5."""
    ended = [SHORT, MIDDLE, *(trial(number, {"epochs": 5, "lr": 0.1 * number}, 5) for number in (3, 4))]
    level = trial(9, {"epochs": 50, "lr": 0.9}, 5, TrialPhase.RUNNING, length=50)
    assert decision([*ended, level]) is None
    assert decision([replace(each, parameters={}) for each in (*ended, level)])


def test_the_decision_says_where_the_others_were() -> None:
    behind = trial(9, {"epochs": 50, "lr": 0.3}, 40, TrialPhase.RUNNING, length=50, end=0.1)
    stop = decision([SHORT, MIDDLE, behind])
    assert stop
    assert "2 trials were better at epoch 38 of 50, or as far in their own epochs" in stop.message


def test_a_trial_whose_length_is_in_doubt_goes_on() -> None:
    behind = trial(9, {"epochs": 50}, 4, TrialPhase.RUNNING, length=50, end=0.1)
    assert decision([SHORT, trial(2, {"epochs": 5}, 5), behind]) is None
    assert decision([trial(1, {"lr": 1}, 5), trial(2, {"lr": 2}, 5), replace(behind, parameters={"lr": 3})])


def test_a_finished_trial_is_never_stopped_and_a_longer_one_still_can_be() -> None:
    job = build.job(early_stopping=AUTO)
    for epochs, phase in [(19, TrialPhase.STOPPING), (20, TrialPhase.RUNNING)]:
        last = trial(9, {"epochs": 20}, epochs, TrialPhase.RUNNING, length=20, end=0.1)
        assert judged((SHORT, trial(2, {"epochs": 30}, 30), last), job)[-1].phase is phase
    beyond = trial(9, {"epochs": 50}, 25, TrialPhase.RUNNING, length=50, end=0.1)
    assert judged((SHORT, MIDDLE, beyond), job)[-1].phase is TrialPhase.STOPPING


def test_what_is_saved_is_short_of_a_trials_own_length() -> None:
    stopped = trial(3, {"epochs": 50}, 10, TrialPhase.EARLY_STOPPED, length=50)
    found = savings(build.job(early_stopping=AUTO), [SHORT, MIDDLE, stopped])
    assert found
    assert found.stopped.epochs == 40
