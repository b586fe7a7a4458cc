"""Accelerate: a tracker for training loops that log by `accelerator.log`."""

from __future__ import annotations

from typing import Any

from accelerate.tracking import GeneralTracker

from tuning_trainer.integrations.training import Training, quietly


class TuningTracker(GeneralTracker):
    """Reports what is logged; values of one step are one measurement, counted 1, 2, 3."""

    name = "tuning"
    requires_logging_directory = False
    main_process_only = True

    def __init__(self) -> None:
        super().__init__()
        self._training = Training()

    @property
    def tracker(self) -> Training:
        """What the measurements go to."""
        return self._training

    @quietly
    def store_init_configuration(self, values: dict[str, Any]) -> None:
        """Leave out the hyperparameters: the tuner knows them."""

    @quietly
    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        """Report what is logged."""
        self._training.measure(values, at=object() if step is None else step)

    @quietly
    def finish(self) -> None:
        """Report what there is where the objective is not."""
        self._training.end()
