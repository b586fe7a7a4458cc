from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.adapters.conftest import Outcome

DATA = """
import os, sys
import numpy as np
import xgboost
random = np.random.default_rng(0)
X = random.normal(size=(80, 4))
y = (X[:, 0] + random.normal(size=80) > 0).astype(int)
path = os.path.join(os.environ["FOLDER"], "model.json")
"""
MATRICES = """
train, valid = xgboost.DMatrix(X[:60], y[:60]), xgboost.DMatrix(X[60:], y[60:])
parameters = {"objective": "binary:logistic", "eval_metric": ["logloss", "error"], "nthread": 1}
history = {}
"""


def test_an_unchanged_script_reports_every_round_of_each_metric(train: Callable[..., Outcome]) -> None:
    outcome = train(
        DATA
        + """
model = xgboost.XGBClassifier(n_estimators=6, eval_metric=["logloss", "error"], n_jobs=1)
model.fit(X[:60], y[:60], eval_set=[(X[:60], y[:60]), (X[60:], y[60:])], verbose=False)
print(model.evals_result()["validation_1"]["logloss"], file=sys.stderr)
""",
        "validation_1-logloss",
    )
    names = {f"validation_{data}-{metric}" for data in (0, 1) for metric in ("logloss", "error")}
    assert set(outcome.curves) == names
    assert {tuple(outcome.epochs(name)) for name in names} == {(1, 2, 3, 4, 5, 6)}
    assert outcome.errors.strip() == str(outcome.values("validation_1-logloss"))


def test_a_run_that_resumes_counts_on(train: Callable[..., Outcome]) -> None:
    script = (
        DATA
        + MATRICES
        + """
before = path if os.path.exists(path) else None
model = xgboost.train(parameters, train, 4, evals=[(valid, "valid")], xgb_model=before, verbose_eval=False)
model.save_model(path)
"""
    )
    assert train(script, "valid-logloss").epochs("valid-logloss") == [1, 2, 3, 4]
    assert train(script, "valid-logloss").epochs("valid-logloss") == [5, 6, 7, 8]


def test_a_model_that_is_trained_further_in_one_process_counts_on(train: Callable[..., Outcome]) -> None:
    outcome = train(
        DATA
        + MATRICES
        + """
model = None
for _ in range(3):
    model = xgboost.train(parameters, train, 2, evals=[(valid, "valid")], xgb_model=model, verbose_eval=False)
""",
        "valid-logloss",
    )
    assert outcome.epochs("valid-logloss") == [1, 2, 3, 4, 5, 6]


def test_a_cross_validation_reports_means_and_deviations(train: Callable[..., Outcome]) -> None:
    outcome = train(
        DATA
        + MATRICES
        + """
table = xgboost.cv(parameters, train, 5, nfold=3, as_pandas=False)
print([float(value) for value in table["test-logloss-mean"]], file=sys.stderr)
""",
        "test-logloss-mean",
    )
    assert outcome.epochs("test-logloss-std") == [1, 2, 3, 4, 5]
    assert outcome.errors.strip() == str(outcome.values("test-logloss-mean"))
    assert {"train-error-mean", "train-error-std", "test-error-mean"} < set(outcome.curves)


def test_folds_that_a_script_trains_itself_do_not_mix(train: Callable[..., Outcome]) -> None:
    outcome = train(
        DATA
        + MATRICES
        + """
for fold in range(3):
    xgboost.train({**parameters, "eta": 0.1 * (fold + 1)}, train, 3, evals=[(valid, "valid")], verbose_eval=False,
                  evals_result=history)
    if fold == 0:
        print(history["valid"]["logloss"], file=sys.stderr)
""",
        "valid-logloss",
    )
    first, notice = outcome.errors.strip().splitlines()
    assert first == str(outcome.values("valid-logloss"))
    assert "another training began in this process" in notice


def test_the_round_in_which_early_stopping_ends_is_reported(train: Callable[..., Outcome]) -> None:
    outcome = train(
        DATA
        + MATRICES
        + """
xgboost.train({**parameters, "eval_metric": "logloss", "eta": 1.0}, train, 200, evals=[(valid, "valid")],
              early_stopping_rounds=2, verbose_eval=False, evals_result=history)
print(len(history["valid"]["logloss"]), file=sys.stderr)
""",
        "valid-logloss",
    )
    rounds = int(outcome.errors)
    assert 3 <= rounds < 200
    assert outcome.epochs("valid-logloss") == list(range(1, rounds + 1))


@pytest.mark.parametrize("settings", [{"RANK": "1"}, {"TUNING_TRIAL": ""}], ids=["rank", "no trial"])
def test_who_has_nothing_to_report_reports_nothing(train: Callable[..., Outcome], settings: dict[str, str]) -> None:
    script = DATA + MATRICES + 'xgboost.train(parameters, train, 2, evals=[(valid, "valid")], verbose_eval=False)\n'
    outcome = train(script, "valid-logloss", **settings)
    assert (outcome.code, outcome.errors, outcome.curves) == (0, "", {})


def test_what_fails_in_the_adapter_is_said_once_and_the_training_ends_well(train: Callable[..., Outcome]) -> None:
    outcome = train(
        DATA
        + MATRICES
        + """
model = xgboost.train(parameters, train, 5, evals=[(valid, "valid")], verbose_eval=False)
print("rounds", model.num_boosted_rounds(), file=sys.stderr)
""",
        "valid-logloss",
        TUNING_METRICS_PORT="no number",
    )
    assert outcome.code == 0
    assert outcome.errors.count("reporting to the tuner ends here, the training continues") == 1
    assert "TUNING_METRICS_PORT is 'no number'" in outcome.errors
    assert outcome.errors.endswith("rounds 5\n")


def test_a_script_with_the_callback_needs_no_hook_and_bears_one(train: Callable[..., Outcome]) -> None:
    script = (
        DATA
        + MATRICES
        + """
from tuning_trainer.integrations.xgboost import TuningCallback
xgboost.train(parameters, train, 3, evals=[(valid, "valid")], verbose_eval=False, callbacks=[TuningCallback()])
"""
    )
    for hooks in (False, True):
        outcome = train(script, "valid-logloss", hooks=hooks)
        assert (outcome.epochs("valid-logloss"), outcome.errors) == ([1, 2, 3], "")


def test_a_script_that_reports_itself_is_left_alone(train: Callable[..., Outcome]) -> None:
    outcome = train(
        DATA
        + MATRICES
        + """
from tuning_trainer import report
report(1, {"mine": 0.5})
xgboost.train(parameters, train, 3, evals=[(valid, "valid")], verbose_eval=False)
report(2, {"mine": 0.6})
""",
        "mine",
    )
    assert outcome.curves == {"mine": {1: 0.5, 2: 0.6}}


def test_a_misspelt_objective_shows_the_names_there_are(train: Callable[..., Outcome]) -> None:
    script = DATA + MATRICES + 'xgboost.train(parameters, train, 2, evals=[(valid, "valid")], verbose_eval=False)\n'
    assert set(train(script, "val_logloss").curves) == {"valid-logloss", "valid-error"}
