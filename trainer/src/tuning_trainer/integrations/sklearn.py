"""scikit-learn 1.9 and later: a callback for estimators that have `set_callbacks`, such as `LogisticRegression`."""

from __future__ import annotations

import pickle
from typing import Any

from sklearn.metrics import check_scoring

from tuning_trainer.integrations.training import Training, quietly


class TuningCallback:
    """Scores the estimator on validation data after each of its iterations, and reports the scores by their names."""

    def __init__(self, X: Any, y: Any, *, scoring: str | list[str] | dict[str, Any]) -> None:  # noqa: N803 - sklearn's
        """Score on this data.

        Args:
            X: the features.
            y: the targets.
            scoring: what `sklearn.metrics.check_scoring` takes: names of scores, or scorers by name.
        """
        self._data = (X, y)
        self._scoring = [scoring] if isinstance(scoring, str) else scoring
        self._training = Training()

    def setup(self, estimator: Any, context: Any) -> None:
        """Begin a fit; another one, such as that of a fold, is another training."""
        del estimator, context
        self._training = Training()

    @quietly
    def teardown(self, estimator: Any, context: Any) -> None:
        """Report what there is where the objective is not."""
        del estimator, context
        self._training.end()

    def on_fit_task_begin(self, estimator: Any, context: Any, **_: Any) -> None:
        """Take the beginning of an iteration."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any = None, **_: Any) -> bool:
        """Score and report; never ends the fit."""
        self._report(estimator, context, fitted_estimator)
        return False

    @quietly
    def _report(self, estimator: Any, context: Any, fitted: Any) -> None:
        is_iteration = len(list(context)) == 1  # a task of several ends with what its last one was scored with
        if fitted is not None and is_iteration:
            scorer = check_scoring(estimator, self._scoring)
            self._training.measure(
                scorer(fitted, *self._data),
                at=object(),
                save=lambda folder: (folder / "model.pkl").write_bytes(pickle.dumps(fitted)),
            )
