"""The tables, answers and pictures of a job, from its objects alone."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import matplotlib as mpl
import numpy as np
import pytest

from tests.unit.client.bodies import FakeSession, job, trial
from tuning_client import HyperparameterTuningJobAnalytics
from tuning_client.describe import describe_job

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.lines import Line2D

    from tuning_client import Session

BEST = {"name": "resnet-0001", "objective": "0.4"}
TRIALS = [
    trial(1),
    trial(2, "EarlyStopped", "0.2", curve={"epochs": [1, 2], "values": ["0.1", "0.2"]}),
    trial(3, "Failed", None, message="exit code 1", curve={}),
    trial(4, "Running", "0.3"),
]


def analytics() -> HyperparameterTuningJobAnalytics:
    done = job(
        bestTrial=BEST,
        trialCounts={
            "completed": 1,
            "earlyStopped": 1,
            "stopped": 1,
            "failed": 1,
            "running": 1,
            "pending": 1,
            "paused": 1,
        },
        objectiveCounts={"succeeded": 2, "pending": 1, "failed": 1},
    )
    return HyperparameterTuningJobAnalytics("resnet", cast("Session", FakeSession(done, trials=TRIALS)))


def test_the_columns_are_sagemakers() -> None:
    frame = analytics().dataframe()
    assert list(frame.columns) == [
        "learning_rate",
        "mini_batch_size",
        "optimizer",
        "TrainingJobName",
        "TrainingJobStatus",
        "FinalObjectiveValue",
        "TrainingStartTime",
        "TrainingEndTime",
        "TrainingElapsedTimeSeconds",
    ]
    assert list(frame.TrainingJobStatus) == ["Completed", "Stopped", "Failed", "InProgress"]
    assert frame.FinalObjectiveValue.fillna(-1).tolist() == [0.4, 0.2, -1, -1]
    assert frame.TrainingElapsedTimeSeconds.sum() == 75
    assert frame.learning_rate.tolist() == [0.001, 0.002, 0.003, 0.004]
    assert frame.mini_batch_size.tolist() == [32] * 4
    assert frame.TrainingEndTime[0] == datetime(2026, 11, 24, 10, 1, 30, tzinfo=UTC)
    # As the blog does it.
    assert frame.sort_values(["FinalObjectiveValue"], ascending=False).head(5).TrainingJobName.iloc[0] == "resnet-0001"
    assert frame[frame.TrainingJobStatus == "Stopped"].TrainingJobName.tolist() == ["resnet-0002"]


def test_a_job_without_trials_has_the_columns_all_the_same() -> None:
    young = HyperparameterTuningJobAnalytics("resnet", cast("Session", FakeSession(job("Pending"))))
    assert young.dataframe()[young.dataframe().TrainingJobStatus == "Stopped"].empty
    assert young.curves().columns.tolist() == ["TrainingJobName", "TrainingJobStatus", "Epoch", "ObjectiveValue"]


def test_what_was_read_is_kept_until_a_refresh() -> None:
    session = FakeSession(job("Running"), job(), trials=TRIALS[:1])
    looked = HyperparameterTuningJobAnalytics("resnet", cast("Session", session))
    assert looked.description()["HyperParameterTuningJobStatus"] == "InProgress"
    assert looked.description()["HyperParameterTuningJobStatus"] == "InProgress"
    assert looked.description(force_refresh=True)["HyperParameterTuningJobStatus"] == "Completed"


def test_curves_have_a_row_for_each_epoch() -> None:
    curves = analytics().curves()
    assert curves.groupby("TrainingJobName").size().to_dict() == {"resnet-0001": 3, "resnet-0002": 2, "resnet-0004": 3}
    assert curves.iloc[2].tolist() == ["resnet-0001", "Completed", 3, 0.4]


def test_epochs_may_be_fractions() -> None:
    logged = trial(1, curve={"epochs": [0.5, 1, 1.5], "values": ["0.1", "0.2", "0.3"]})
    looked = HyperparameterTuningJobAnalytics("resnet", cast("Session", FakeSession(job(), trials=[logged])))
    assert looked.curves().Epoch.tolist() == [0.5, 1, 1.5]
    assert analytics().curves().Epoch.dtype == "int64"


def test_a_value_that_is_no_number_is_one_here() -> None:
    diverged = trial(1, objective="NaN", curve={"epochs": [1, 2], "values": ["+Inf", "NaN"]})
    looked = HyperparameterTuningJobAnalytics("resnet", cast("Session", FakeSession(job(), trials=[diverged])))
    assert math.isnan(looked.dataframe().FinalObjectiveValue[0])
    assert looked.curves().ObjectiveValue[0] == math.inf


def test_the_description_answers_in_sagemakers_words() -> None:
    description = analytics().description()
    assert description.pop("BestTrainingJob") == {
        "TrainingJobName": "resnet-0001",
        "TuningJobName": "resnet",
        "CreationTime": datetime(2026, 11, 24, 10, 1, tzinfo=UTC),
        "TrainingStartTime": datetime(2026, 11, 24, 10, 1, tzinfo=UTC),
        "TrainingEndTime": datetime(2026, 11, 24, 10, 1, 30, tzinfo=UTC),
        "TrainingJobStatus": "Completed",
        "TunedHyperParameters": {"learning_rate": "0.001", "mini_batch_size": "32", "optimizer": "adam"},
        "FinalHyperParameterTuningJobObjectiveMetric": {
            "Type": "Maximize",
            "MetricName": "validation:accuracy",
            "Value": 0.4,
        },
        "ObjectiveStatus": "Succeeded",
    }
    assert description.pop("HyperParameterTuningJobConfig") == {
        "Strategy": "Bayesian",
        "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "validation:accuracy"},
        "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
        "ParameterRanges": {
            "IntegerParameterRanges": [
                {"Name": "mini_batch_size", "MinValue": "16", "MaxValue": "64", "ScalingType": "Auto"}
            ],
            "ContinuousParameterRanges": [
                {"Name": "learning_rate", "MinValue": "1e-05", "MaxValue": "1", "ScalingType": "Logarithmic"}
            ],
            "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "adam"]}],
        },
        "TrainingJobEarlyStoppingType": "Auto",
        "TuningJobCompletionCriteria": {
            "TargetObjectiveMetricValue": 0.9,
            "BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 5},
            "ConvergenceDetected": {"CompleteOnConvergence": "Enabled"},
        },
    }
    assert description == {
        "HyperParameterTuningJobName": "resnet",
        "TrainingJobDefinition": {
            "StaticHyperParameters": {"epochs": "3"},
            "AlgorithmSpecification": {"TrainingImage": "registry.example.com/resnet:1"},
        },
        "HyperParameterTuningJobStatus": "Completed",
        "CreationTime": datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
        "HyperParameterTuningEndTime": datetime(2026, 11, 24, 10, 5, 5, tzinfo=UTC),
        "TrainingJobStatusCounters": {
            "Completed": 1,
            "InProgress": 3,
            "RetryableError": 0,
            "NonRetryableError": 1,
            "Stopped": 2,
        },
        "ObjectiveStatusCounters": {"Succeeded": 2, "Pending": 1, "Failed": 1},
        "ConsumedResources": {"RuntimeInSeconds": 300},
    }
    assert analytics().training_job_summaries()[2]["FailureReason"] == "exit code 1"
    assert analytics().tuning_ranges["optimizer"]["Values"] == ["sgd", "adam"]


def test_a_job_with_parents_tells_of_them_and_of_the_best_of_all() -> None:
    body = job(overallBestTrial={"job": "base", "name": "base-0002", "objective": "0.5", "parameters": {"x": "1"}})
    body["spec"]["warmStart"] = {"type": "IdenticalDataAndAlgorithm", "parents": ["base"]}
    description = describe_job(body, None)
    assert description["OverallBestTrainingJob"] == {
        "TrainingJobName": "base-0002",
        "TuningJobName": "base",
        "TunedHyperParameters": {"x": "1"},
        "FinalHyperParameterTuningJobObjectiveMetric": {
            "Type": "Maximize",
            "MetricName": "validation:accuracy",
            "Value": 0.5,
        },
        "ObjectiveStatus": "Succeeded",
    }
    assert description["WarmStartConfig"] == {
        "WarmStartType": "IdenticalDataAndAlgorithm",
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "base"}],
    }


@pytest.fixture
def _no_screen() -> Iterator[None]:
    from matplotlib import pyplot as plt  # noqa: PLC0415 - the backend is chosen first

    mpl.use("agg")
    yield
    plt.close("all")


def points(line: Line2D) -> list[list[float]]:
    """The points of a line, each as [x, y]."""
    return np.asarray(line.get_xydata()).tolist()


@pytest.mark.usefixtures("_no_screen")
def test_the_pictures_show_every_trial_that_they_should() -> None:
    from tuning_client import plots  # noqa: PLC0415 - needs a backend

    curves = plots.learning_curves(analytics())
    assert [len(points(line)) for line in curves.lines] == [3, 2, 3]
    assert [line.get_marker() for line in curves.lines] == ["", "x", ""]
    legend = curves.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["best: resnet-0001", "stopped", "other trials"]
    assert [line.get_marker() for line in legend.get_lines()] == ["", "x", ""]
    assert all(float(tick).is_integer() for tick in curves.get_xticks()), "no half epochs"
    bought = plots.best_so_far(analytics(), analytics())
    assert points(bought.lines[0])[:2] == [[25 / 60, 0.4], [50 / 60, 0.4]]
    parallel = plots.parallel_coordinates(analytics())
    heights = [
        height for _, height in points(parallel.lines[0])
    ]  # the worst first: the third decade of five, a third of the range, the last
    assert heights == pytest.approx([math.log(0.002 / 1e-5) / math.log(1e5), 1 / 3, 1, 0])
    assert [label.get_text() for label in parallel.get_xticklabels()] == [
        "learning_rate",
        "mini_batch_size",
        "optimizer",
        "validation:accuracy",
    ]
