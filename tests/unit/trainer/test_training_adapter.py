"""Which epoch a framework's measurement is. The adapters are tested on their frameworks, in tests/adapters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.trainer.runs import Run

SCRIPT = """
from tuning_trainer.integrations.training import Training, quietly
training = Training()
for metrics, at, epoch in {measured}:
    quietly(training.measure)(metrics, at, epoch)
training.end()
"""
NAN = "float('nan')"

Curves = dict[str, dict[int, float]]


def curves(start: Callable[..., Run], measured: object, objective: str = "val") -> Curves:
    settings = {"TUNING_TRIAL": "job-0001", "TUNING_OBJECTIVE_METRIC": objective, "TUNING_FINISH_TIMEOUT": "0"}
    run = start(script=SCRIPT.format(measured=measured), **settings)
    code, errors = run.end()
    assert (code, errors) == (0, "")
    if not run.log.exists():
        return {}
    message = run.message()
    return {
        name: {epoch: value for epoch, value in zip(message["epochs"], values, strict=True) if value is not None}
        for name, values in message["metrics"].items()
    }


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        pytest.param(
            [({"val": 0.5}, 1, 1), ({"val": 0.25}, 2, 2)], {"val": {1: 0.5, 2: 0.25}}, id="every epoch has it"
        ),
        pytest.param([({"val": 0.5}, 6, 6), ({"val": 0.25}, 7, 7)], {"val": {6: 0.5, 7: 0.25}}, id="a run resumes"),
        pytest.param(
            [({"t": 0.9}, 1, 1), ({"t": 0.8, "val": 0.5}, 2, 2), ({"t": 0.7}, 3, 3), ({"t": 0.6, "val": 0.4}, 4, 4)],
            {"t": {1: 0.8, 2: 0.6}, "val": {1: 0.5, 2: 0.4}},
            id="every second epoch has it",
        ),
        pytest.param(
            [({"t": 0.9}, 11, 11), ({"val": 0.5}, 12, 12)],
            {"t": {12: 0.9}, "val": {12: 0.5}},
            id="a run resumes of which nobody knows how many epochs had it",
        ),
        pytest.param(
            [({"t": 0.9}, 1, 1), ({"val": 0.5}, 1, 1), ({"late": 0.1}, 1, 1), ({"val": 0.25}, 2, 2)],
            {"t": {1: 0.9}, "val": {1: 0.5, 2: 0.25}, "late": {1: 0.1}},
            id="a measurement comes in parts",
        ),
        pytest.param(
            [({}, 1, None), ({"text": "words", "none": None, "list": [1, 2]}, 1, None), ({"val": 0.5}, 1, None)],
            {"val": {1: 0.5}},
            id="what is no number is left out",
        ),
        pytest.param(
            [({"huge": 10**400, "": 1, "two\nlines": 1, "long" * 40: 1, 'q"\\ é': 2, "val": 0.5}, 1, 1)],
            {'q"\\ é': {1: 2}, "val": {1: 0.5}},
            id="odd names and numbers cost no other",
        ),
        pytest.param([({"other": 0.5}, 1, 1), ({"other": 0.4}, 2, 2)], {"other": {1: 0.4}}, id="it never comes"),
        pytest.param([({"val": 0.5}, 3, 3), ({"val": 0.4}, 1, 1)], {"val": {3: 0.5, 4: 0.4}}, id="epochs begin again"),
    ],
)
def test_an_epoch_is_a_measurement_that_has_the_objective(
    start: Callable[..., Run], measured: object, expected: Curves
) -> None:
    assert curves(start, measured) == expected


def test_diverged_values_are_values(start: Callable[..., Run]) -> None:
    measured = f"[({{'val': {NAN}}}, 1, 1), ({{'val': float('inf')}}, 2, 2)]"
    known = {epoch: float(value) for epoch, value in curves(start, measured)["val"].items()}
    assert math.isnan(known[1])
    assert known[2] == math.inf


def test_other_metrics_have_a_limit_and_the_objective_has_none(start: Callable[..., Run]) -> None:
    limited = "from tuning_trainer.integrations import training as module\nmodule.MAX_OTHERS = 10\n"
    measured = [({"val": epoch / 7, "other": epoch / 7}, epoch, epoch) for epoch in range(1, 21)]
    run = start(
        script=limited + SCRIPT.format(measured=measured),
        TUNING_TRIAL="job-0001",
        TUNING_OBJECTIVE_METRIC="val",
        TUNING_FINISH_TIMEOUT="0",
    )
    assert run.end() == (0, "")
    message = run.message()
    assert message["metrics"]["val"] == [epoch / 7 for epoch in range(1, 21)]
    assert [value is not None for value in message["metrics"]["other"]] == [True] * 5 + [False] * 15


def test_a_forked_process_does_not_speak_for_the_training(start: Callable[..., Run]) -> None:
    script = """
import os
from tuning_trainer.integrations.training import Training, quietly
training = Training()
training.measure({"val": 0.5}, 1)
if os.fork() == 0:
    quietly(training.measure)({"val": 0.25}, 2)
    os._exit(0)
os.wait()
training.measure({"val": 0.125}, 2)
"""
    run = start(script=script, TUNING_TRIAL="job-0001", TUNING_OBJECTIVE_METRIC="val", TUNING_FINISH_TIMEOUT="0")
    code, errors = run.end()
    assert code == 0
    assert errors.count("reporting to the tuner ends here") == 1
    assert run.message()["metrics"]["val"] == [0.5, 0.125]
