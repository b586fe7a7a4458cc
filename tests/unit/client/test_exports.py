"""Trials in the forms of other tools, read back by those tools."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from tests.unit.client.bodies import job, trial
from tuning_client.errors import TuningError
from tuning_client.exports.optuna import distribution, export

if TYPE_CHECKING:
    from pathlib import Path

DECISION = {"reason": "BelowMedian", "epoch": 2, "message": "0.2 is below 0.3"}


def trials() -> list[dict[str, Any]]:
    return [
        trial(1),
        trial(2, "EarlyStopped", "0.2", stopDecision=DECISION, curve={"epochs": [1, 2], "values": ["0.1", "0.2"]}),
        trial(3, "Failed", None, message="OOM", curve={"epochs": [], "values": []}),
        trial(4, "Completed", "NaN", curve={"epochs": [1], "values": ["NaN"]}),
        trial(5, "Running", None),
    ]


def test_a_study_has_states_values_parameters_distributions_and_curves(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    assert export(job(), trials(), path) == 4, "the one that runs is left out"
    study = optuna.load_study(study_name="resnet", storage=f"sqlite:///{path}")
    assert study.direction is optuna.study.StudyDirection.MAXIMIZE
    assert [item.state for item in study.trials] == [
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.FAIL,
        TrialState.FAIL,
    ]
    best, stopped = study.trials[:2]
    assert study.best_trial.number == best.number == 0
    assert best.value == 0.4
    assert best.params == {"learning_rate": 0.001, "mini_batch_size": 32, "optimizer": "adam"}
    assert best.distributions["learning_rate"] == FloatDistribution(0.00001, 1, log=True)
    assert best.intermediate_values == {1: 0.1, 2: 0.2, 3: 0.4}
    assert best.duration is not None
    assert best.duration.total_seconds() == 30
    assert stopped.intermediate_values == {1: 0.1, 2: 0.2}
    assert stopped.user_attrs["message"] == "0.2 is below 0.3"


def test_a_lucky_repetition_is_not_the_best_trial_of_the_study(tmp_path: Path) -> None:
    lucky = trial(3, objective="0.99")
    lucky["spec"]["confirms"] = 2
    confirmed = job(bestTrial={"name": "resnet-0002", "objective": "0.4"})
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    assert export(confirmed, [trial(1, objective="0.3"), trial(2), lucky], tmp_path / "study.db") == 3
    study = optuna.load_study(study_name="resnet", storage=storage)
    assert [item.value for item in study.trials] == [0.3, 0.4]
    assert study.best_trial.user_attrs["trial"] == study.user_attrs["best"] == "resnet-0002"
    again = optuna.load_study(study_name="resnet-confirmation", storage=storage)
    assert again.direction is study.direction
    assert [(item.value, item.user_attrs["confirms"]) for item in again.trials] == [(0.99, "resnet-0002")]
    assert again.trials[0].intermediate_values == {1: 0.1, 2: 0.2, 3: 0.4}


def test_a_study_is_not_written_twice(tmp_path: Path) -> None:
    export(job(), trials(), tmp_path / "study.db")
    with pytest.raises(TuningError, match="already has a study resnet: choose another file"):
        export(job(), trials(), tmp_path / "study.db")


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        ({"continuous": {"min": 0.5, "max": 0.9, "scale": "ReverseLog"}}, FloatDistribution(0.5, 0.9)),
        ({"continuous": {"min": 0.1, "max": 10}}, FloatDistribution(0.1, 10, log=True)),
        ({"continuous": {"min": 0.1, "max": 9}}, FloatDistribution(0.1, 9)),
        ({"continuous": {"min": 0, "max": 1000}}, FloatDistribution(0, 1000)),
        ({"integer": {"min": 1, "max": 512, "scale": "Log"}}, IntDistribution(1, 512, log=True)),
        ({"integer": {"min": 16, "max": 64, "step": 16}}, IntDistribution(16, 64, step=16)),
        ({"integer": {"min": 16, "max": 70, "step": 16}}, IntDistribution(16, 64, step=16)),
        ({"continuous": {"min": 0.1, "max": 1.05, "step": 0.3}}, FloatDistribution(0.1, 1.0, step=0.3)),
        ({"continuous": {"min": -1, "max": 0.95, "step": 0.1}}, FloatDistribution(-1.0, 0.9, step=0.1)),
        ({"categorical": {"values": ["a", "b"]}}, CategoricalDistribution(["a", "b"])),
        ({"discrete": {"values": [0.1, 1]}}, CategoricalDistribution([0.1, 1.0])),
        ({"discrete": {"values": [16, 64]}}, CategoricalDistribution([16, 64])),
        ({"continuous": {"min": 0.25, "max": 100, "step": 0.25}}, FloatDistribution(0.25, 100, step=0.25)),
    ],
)
def test_distributions_are_those_of_the_search_space(parameter: dict[str, Any], expected: object) -> None:
    assert distribution({"name": "x", **parameter}) == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own, about the libraries that it uses
def test_runs_have_parameters_metrics_and_how_they_ended(tmp_path: Path) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds to import

    from tuning_client.exports import mlflow  # noqa: PLC0415

    assert mlflow.export(job(), trials(), str(tmp_path)) == 4
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("resnet")
    runs = sorted(client.search_runs([experiment.experiment_id]), key=lambda run: run.info.run_name)
    assert [(run.info.run_name, run.info.status) for run in runs] == [
        ("resnet-0001", "FINISHED"),
        ("resnet-0002", "KILLED"),
        ("resnet-0003", "FAILED"),
        ("resnet-0004", "FINISHED"),
    ]
    assert runs[0].data.params["optimizer"] == "adam"
    assert runs[0].data.params["epochs"] == "3"
    history = client.get_metric_history(runs[0].info.run_id, "validation:accuracy")
    assert [(item.step, item.value) for item in history] == [(1, 0.1), (2, 0.2), (3, 0.4)]
    assert math.isnan(runs[3].data.metrics["validation:accuracy"])
    assert runs[1].data.tags["tuning.message"] == "0.2 is below 0.3"
    with pytest.raises(TuningError, match="already has an experiment resnet"):
        mlflow.export(job(), trials(), str(tmp_path))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own, about the libraries that it uses
def test_runs_go_into_a_file_store_that_mlflow_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415 - takes seconds to import

    from tuning_client.exports import mlflow  # noqa: PLC0415

    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    uri = (tmp_path / "mlruns").as_uri()
    assert mlflow.export(job(), trials(), uri) == 4
    assert not (tmp_path / "mlruns" / "mlflow.db").exists()
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("resnet")
    assert (tmp_path / "mlruns" / experiment.experiment_id / "meta.yaml").is_file()
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(runs) == ["resnet-0001", "resnet-0002", "resnet-0003", "resnet-0004"]
    history = client.get_metric_history(runs["resnet-0001"].info.run_id, "validation:accuracy")
    assert [(item.step, item.value) for item in history] == [(1, 0.1), (2, 0.2), (3, 0.4)]
    with pytest.raises(TuningError, match="already has an experiment resnet"):
        mlflow.export(job(), trials(), uri)
