"""XGBoost: a callback for `train` and for `cv`, whose means and deviations are separate metrics."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from xgboost import Booster, collective
from xgboost.callback import TrainingCallback

from tuning_trainer.integrations.training import Training, quietly

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class TuningCallback(TrainingCallback):
    """Reports each round, counted from 1, and on from the rounds that a model has which is trained further.

    Metrics are named as XGBoost prints them: `validation_0-logloss`, and `test-logloss-mean` of a cross-validation.
    """

    def __init__(self) -> None:
        self._training = Training()
        self._before = 0
        self._objective = os.environ.get("TUNING_OBJECTIVE_METRIC")
        self._values: dict[int, float] = {}

    def before_training(self, model: Any) -> Any:
        """Count on where the model has been trained before."""
        self._count_on(model)
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Sequence[Any]]]) -> bool:
        """Report the round."""
        del model
        self._report(epoch, evals_log)
        return False

    def after_training(self, model: Any) -> Any:
        """Report what there is where the objective is not."""
        quietly(self._training.end)()
        self._keep(model)
        return model

    @quietly
    def _keep(self, model: Any) -> None:
        if isinstance(model, Booster):  # there are several of a cross-validation
            self._training.keep_rounds(
                self._values, lambda number, folder: model[:number].save_model(folder / "model.ubj")
            )

    @quietly
    def _count_on(self, model: Any) -> None:
        rounds = getattr(model, "num_boosted_rounds", lambda: 0)()  # there are none of the folds' models
        if rounds:
            self._before, self._training = rounds, Training.that_goes_on()

    @quietly
    def _report(self, epoch: int, log: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
        if collective.get_rank() != 0:
            return
        number = self._before + epoch + 1
        metrics = {}
        for data, scores in log.items():
            for name, values in scores.items():
                if isinstance(values[-1], tuple):
                    metrics[f"{data}-{name}-mean"], metrics[f"{data}-{name}-std"] = values[-1]
                else:
                    metrics[f"{data}-{name}"] = values[-1]
        if self._objective in metrics:
            self._values[number] = metrics[self._objective]
        self._training.measure(metrics, at=number, epoch=number)
