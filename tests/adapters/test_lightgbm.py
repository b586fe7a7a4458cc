from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.conftest import Outcome

DATA = """
import os, sys
import numpy as np
import lightgbm
random = np.random.default_rng(0)
X = random.normal(size=(80, 4))
y = X[:, 0] + 0.3 * random.normal(size=80)
path = os.path.join(os.environ["FOLDER"], "model.txt")
parameters = {"objective": "regression", "metric": ["l2", "l1"], "num_threads": 1, "verbose": -1,
              "min_data_in_leaf": 3}
train = lightgbm.Dataset(X[:60], y[:60], free_raw_data=False)
valid = lightgbm.Dataset(X[60:], y[60:], reference=train, free_raw_data=False)
history = {}
"""


def test_an_unchanged_script_reports_every_round_until_early_stopping(train: Callable[..., Outcome]) -> None:
    outcome = train(
        DATA
        + """
model = lightgbm.LGBMRegressor(n_estimators=300, learning_rate=0.9, n_jobs=1, verbose=-1, min_child_samples=3)
model.fit(X[:60], y[:60], eval_set=[(X[60:], y[60:])], eval_metric=["l1"],
          callbacks=[lightgbm.early_stopping(2, verbose=False), lightgbm.record_evaluation(history)])
print([float(value) for value in history["valid_0"]["l2"]], file=sys.stderr)
""",
        "valid_0-l2",
    )
    assert outcome.errors.splitlines()[-1] == str(outcome.values("valid_0-l2"))
    assert 3 <= len(outcome.values("valid_0-l2")) < 300
    assert outcome.epochs("valid_0-l1") == list(range(1, len(outcome.values("valid_0-l2")) + 1))


def test_a_run_that_resumes_counts_on(train: Callable[..., Outcome]) -> None:
    script = (
        DATA
        + """
before = path if os.path.exists(path) else None
model = lightgbm.train(parameters, train, 4, valid_sets=[valid], valid_names=["valid"], init_model=before)
model.save_model(path)
"""
    )
    assert train(script, "valid-l2").epochs("valid-l2") == [1, 2, 3, 4]
    assert train(script, "valid-l2").epochs("valid-l1") == [5, 6, 7, 8]


def test_a_cross_validation_reports_means_and_deviations(train: Callable[..., Outcome]) -> None:
    outcome = train(
        DATA
        + """
table = lightgbm.cv(parameters, train, 5, nfold=3, stratified=False)
print([float(value) for value in table["valid l2-mean"]], file=sys.stderr)
""",
        "valid-l2-mean",
    )
    assert outcome.errors.strip() == str(outcome.values("valid-l2-mean"))
    assert outcome.epochs("valid-l1-stdv") == [1, 2, 3, 4, 5]


def test_results_of_older_releases_are_understood(train: Callable[..., Outcome]) -> None:
    outcome = train(
        """
from types import SimpleNamespace
from tuning_trainer.integrations.lightgbm import TuningCallback
callback = TuningCallback()
for iteration in range(2):
    results = [("valid_0", "l2", 0.5, False), ("cv_agg", "valid l1", 0.25, False, 0.125)]
    there = {"iteration": iteration, "begin_iteration": 0, "end_iteration": 2, "model": None}
    callback(SimpleNamespace(**there, evaluation_result_list=results))
""",
        "valid_0-l2",
    )
    assert outcome.curves == {
        "valid_0-l2": {1: 0.5, 2: 0.5},
        "valid-l1-mean": {1: 0.25, 2: 0.25},
        "valid-l1-stdv": {1: 0.125, 2: 0.125},
    }
