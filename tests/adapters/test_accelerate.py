from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.conftest import Outcome

LOOP = """
import os, sys
from accelerate import Accelerator
accelerator = Accelerator(cpu=True{tracker})
accelerator.init_trackers("here")
for step in range(1, 5):
    accelerator.log({{"train_loss": 1 / step, "note": "text"}}, step=step)
    if step % 2 == 0:
        accelerator.log({{"val_loss": 2 / step}}, step=step)
accelerator.end_training()
"""
CURVES = {"train_loss": {1: 0.5, 2: 0.25}, "val_loss": {1: 1.0, 2: 0.5}}


def test_an_unchanged_loop_reports_every_step_that_it_logs(train: Callable[..., Outcome]) -> None:
    outcome = train(LOOP.format(tracker=""), "val_loss")
    assert (outcome.curves, outcome.errors) == (CURVES, "")


def test_a_tracker_in_the_script_is_enough(train: Callable[..., Outcome]) -> None:
    imports = "from tuning_trainer.integrations.accelerate import TuningTracker\n"
    for hooks in (False, True):
        outcome = train(imports + LOOP.format(tracker=", log_with=TuningTracker()"), "val_loss", hooks=hooks)
        assert (outcome.curves, outcome.errors) == (CURVES, "")
