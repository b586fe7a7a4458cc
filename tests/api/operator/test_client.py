"""Whole jobs from Python: started, followed, read; and stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cluster.operators import METRIC
from cluster.played_kubelet import Training
from cluster.waiting import wait_until
from tuning_client import ContinuousParameter, Estimator, HyperparameterTuner, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api


def test_a_tuner_runs_a_job_and_its_tables_say_what_the_trials_do(
    start_lab: Callable[..., Lab], kubeconfig: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def train(parameters: Mapping[str, Any], pod: str) -> Training:
        x = float(parameters["x"])
        values = tuple(round(x * epoch / 4, 6) for epoch in range(1, 5))
        endless = pod.startswith("endless")
        return Training(values, epoch_seconds=60 if endless else 0.1, exit_code=1 if "0002" in pod else 0)

    lab = start_lab(train)
    tuner = HyperparameterTuner(
        Estimator("example.invalid/training", hyperparameters={"epochs": 4}),
        METRIC,
        {"x": ContinuousParameter(0.0, 1.0)},
        strategy="Random",
        max_jobs=4,
        max_parallel_jobs=2,
        random_seed=7,
        session=Session(lab.namespace, kubeconfig=kubeconfig),
    )
    tuner.fit(job_name="job")
    assert "4/4" in capsys.readouterr().out
    frame, curves = tuner.analytics().dataframe(), tuner.analytics().curves()
    trials = lab.cluster.trials()
    assert frame.TrainingJobName.tolist() == [trial["metadata"]["name"] for trial in trials]
    assert frame.TrainingJobStatus.tolist() == ["Completed", "Failed", "Completed", "Completed"]
    completed = frame[frame.TrainingJobStatus == "Completed"]
    assert completed.FinalObjectiveValue.tolist() == pytest.approx(completed.x.tolist(), abs=1e-5)
    assert frame.TrainingElapsedTimeSeconds.sum() == lab.cluster.job()["status"]["totalTrainingSeconds"]
    assert curves[curves.TrainingJobName == "job-0001"].Epoch.tolist() == [1, 2, 3, 4]
    description = tuner.describe()
    assert description["HyperParameterTuningJobStatus"] == "Completed"
    assert description["TrainingJobStatusCounters"]["NonRetryableError"] == 1
    best = completed.sort_values(["FinalObjectiveValue"], ascending=False).TrainingJobName.iloc[0]
    assert tuner.best_training_job() == description["BestTrainingJob"]["TrainingJobName"] == best

    tuner.fit(job_name="endless", wait=False)
    wait_until(lambda: tuner.describe()["TrainingJobStatusCounters"]["InProgress"], "trials run")
    tuner.stop_tuning_job()
    tuner.wait()
    description = tuner.describe()
    assert description["HyperParameterTuningJobStatus"] == "Stopped"
    assert set(tuner.analytics().dataframe().TrainingJobStatus) == {"Stopped"}
