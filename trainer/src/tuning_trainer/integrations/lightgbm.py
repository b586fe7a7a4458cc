"""LightGBM: a callback for `train` and for `cv`, whose means and deviations are separate metrics."""

from __future__ import annotations

import atexit
import os
from typing import TYPE_CHECKING, Any

from lightgbm import Booster

from tuning_trainer.integrations.training import Training, quietly

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lightgbm.callback import CallbackEnv


class TuningCallback:
    """Reports each round, counted from 1, and on from the rounds that a model has which is trained further.

    Metrics are named by data and metric: `valid_0-l2`, and `valid-l2-mean` and `valid-l2-stdv` of a cross-validation.
    """

    order = 5
    """Before early stopping, which leaves the round by an exception."""
    before_iteration = False

    def __init__(self) -> None:
        self._training: Training | None = None
        self._objective = os.environ.get("TUNING_OBJECTIVE_METRIC")
        self._values: dict[int, float] = {}

    @quietly
    def __call__(self, env: CallbackEnv) -> None:
        """Report the round."""
        if self._training is None:
            self._training = Training.that_goes_on() if env.begin_iteration else Training()
            if isinstance(env.model, Booster) and not env.begin_iteration:
                # Early stopping leaves by an exception: there is no last call.
                atexit.register(self._keep, self._training, env.model)
        number, metrics = env.iteration + 1, dict(_metrics(env.evaluation_result_list or []))
        if self._objective in metrics:
            self._values[number] = metrics[self._objective]
        self._training.measure(metrics, at=number, epoch=number)
        if number == env.end_iteration:
            self._training.end()

    @quietly
    def _keep(self, training: Training, model: Booster) -> None:
        there = model.current_iteration()  # early stopping drops the rounds after the best one
        training.keep_rounds(
            {number: value for number, value in self._values.items() if number <= there},
            lambda number, folder: model.save_model(folder / "model.txt", num_iteration=number),
        )


def _metrics(results: Sequence[Sequence[Any]]) -> Iterator[tuple[str, float]]:
    # Data, metric, value, whether higher is better; the fifth is the deviation. Names of the fields came with 4.7.
    for data, metric, value, _, *deviation in results:
        # Before 4.6 a cross-validation has the data's name with the metric's.
        title = metric.replace(" ", "-", 1) if data == "cv_agg" else f"{data}-{metric}"
        if deviation and deviation[0] is not None:
            yield f"{title}-mean", value
            yield f"{title}-stdv", deviation[0]
        else:
            yield title, value
