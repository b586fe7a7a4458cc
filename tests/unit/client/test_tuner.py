"""What the client makes of SageMaker's arguments, and how it follows a job."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml
from kubernetes.client import ApiException

from tests.unit.client.bodies import FakeSession, job
from tuning_client import (
    CategoricalParameter,
    ContinuousParameter,
    Estimator,
    HyperbandStrategyConfig,
    HyperparameterTuner,
    IntegerParameter,
    JobFailedError,
    Session,
    StrategyConfig,
    TuningError,
    TuningJobCompletionCriteriaConfig,
    UnavailableError,
    WarmStartConfig,
    WarmStartTypes,
)
from tuning_client.job import TuningJob
from tuning_client.names import unique_job_name
from tuning_client.session import explain

if TYPE_CHECKING:
    from pathlib import Path

    from tuning_client.parameters import ParameterRange

RANGES: dict[str, ParameterRange] = {
    "learning_rate": ContinuousParameter(1e-5, 1.0, scaling_type="Logarithmic"),
    "mini_batch_size": IntegerParameter(16, 64),
    "optimizer": CategoricalParameter(["sgd", "adam", "rmsprop", "nag"]),
}


def estimator() -> Estimator:
    training = Estimator(
        "registry.example.com/trainer:1",
        args=["--lr=$(HP_learning_rate)"],
        resources={"limits": {"nvidia.com/gpu": 1}},
        environment={"THREADS": 2},
        volumes={"/data": {"persistentVolumeClaim": {"claimName": "caltech"}}},
        pod={"nodeSelector": {"gpu": "a100"}},
    )
    training.set_hyperparameters(num_layers=18, epochs=10, learning_rate=0.1)
    return training


def fake(session: FakeSession) -> Session:
    return cast("Session", session)


def test_the_arguments_of_the_blog_become_a_manifest() -> None:
    tuner = HyperparameterTuner(
        estimator(),
        "validation:accuracy",
        RANGES,
        objective_type="Maximize",
        max_jobs=20,
        max_parallel_jobs=2,
        max_runtime_in_seconds=3600,
        completion_criteria_config=TuningJobCompletionCriteriaConfig(
            max_number_of_training_jobs_not_improving=5, complete_on_convergence=True, target_objective_metric_value=0.9
        ),
        early_stopping_type="Auto",
        warm_start_config=WarmStartConfig(WarmStartTypes.IDENTICAL_DATA_AND_ALGORITHM, {"before", "base"}),
        random_seed=7,
        tags={"team": "vision"},
        initial_trials=[{"learning-rate": 1e-3, "mini_batch_size": 32}],
        objective_value="Best",
        max_training_time_in_seconds=7200,
        max_gpu_hours="1.5",
        spec={"limits": {"maxFailedTrials": 3}},
    )
    manifest = tuner.manifest("resnet")
    assert manifest["metadata"] == {"name": "resnet", "labels": {"team": "vision"}}
    assert manifest["spec"] == {
        "strategy": "Bayesian",
        "seed": 7,
        "objective": {"metric": "validation:accuracy", "goal": "Maximize", "value": "Best", "target": 0.9},
        "parameters": [
            {"name": "learning_rate", "continuous": {"min": 1e-5, "max": 1.0, "scale": "Log"}},
            {"name": "mini_batch_size", "integer": {"min": 16, "max": 64, "scale": "Auto", "step": 1}},
            {"name": "optimizer", "categorical": {"values": ["sgd", "adam", "rmsprop", "nag"]}},
        ],
        "staticParameters": {"num_layers": "18", "epochs": "10"},
        "initialTrials": [{"parameters": {"learning_rate": "0.001", "mini_batch_size": "32"}}],
        "limits": {
            "maxTrials": 20,
            "maxParallelTrials": 2,
            "maxDuration": "3600s",
            "maxTrainingTime": "7200s",
            "maxGPUHours": 1.5,
            "maxFailedTrials": 3,
        },
        "earlyStopping": {"type": "Auto"},
        "completion": {"maxTrialsWithoutImprovement": 5, "onConvergence": {}},
        "warmStart": {"type": "IdenticalDataAndAlgorithm", "parents": ["base", "before"]},
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "training",
                        "image": "registry.example.com/trainer:1",
                        "args": ["--lr=$(HP_learning_rate)"],
                        "env": [{"name": "THREADS", "value": "2"}],
                        "resources": {"limits": {"nvidia.com/gpu": 1}},
                        "volumeMounts": [{"name": "volume-1", "mountPath": "/data"}],
                    }
                ],
                "volumes": [{"name": "volume-1", "persistentVolumeClaim": {"claimName": "caltech"}}],
                "nodeSelector": {"gpu": "a100"},
            }
        },
    }


def test_the_strategies_that_need_more_or_less() -> None:
    grid = HyperparameterTuner(estimator(), "accuracy", {"n": IntegerParameter(16, 64, step=16)}, strategy="Grid")
    assert grid.manifest("n")["spec"]["limits"] == {"maxParallelTrials": 1}
    assert grid.manifest("n")["spec"]["parameters"][0]["integer"]["step"] == 16
    rungs = StrategyConfig(HyperbandStrategyConfig(max_resource=27, min_resource=1))
    hyperband = HyperparameterTuner(estimator(), "accuracy", RANGES, strategy="Hyperband", strategy_config=rungs)
    assert hyperband.manifest("h")["spec"]["hyperband"] == {"minResource": 1, "maxResource": 27}


def test_a_pod_template_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    spec = {"containers": [{"name": "main", "image": "example.com/a:1"}], "runtimeClassName": "nvidia"}
    pod = {"kind": "Pod", "metadata": {"name": "x", "labels": {"team": "vision"}}, "spec": spec}
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(pod))
    taken = Estimator.from_template(tmp_path / "pod.yaml", hyperparameters={"epochs": 3})
    assert taken.template() == {"metadata": {"labels": {"team": "vision"}}, "spec": spec}
    assert taken.hyperparameters() == {"epochs": "3"}
    with pytest.raises(ValueError, match=r"spec\.containers"):
        Estimator.from_template(spec)


@pytest.mark.parametrize(
    ("range_", "kind", "says"),
    [
        (ContinuousParameter(0.1, 1, scaling_type="log"), ValueError, "scaling_type must be one of Auto, Linear, Log"),
        (IntegerParameter(1, 2.5), ValueError, r"max_value .* must be whole, not 2\.5"),  # type: ignore[arg-type]
        ((0.1, 1), TypeError, r"must be a ContinuousParameter, .*, not \(0\.1, 1\)"),
    ],
)
def test_what_the_api_server_cannot_tell_is_checked_here(range_: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=rf"hyperparameter_ranges\['x'\].* {says}"):
        HyperparameterTuner(estimator(), "accuracy", {"x": range_})
    with pytest.raises(TypeError, match=r"must be an Estimator, .*Estimator\.from_template"):
        HyperparameterTuner({"spec": {}}, "accuracy", RANGES)  # type: ignore[arg-type]


def test_names_are_unique_and_short_enough() -> None:
    names = {unique_job_name("My_Very.Long-Name of a Tuning Job") for _ in range(50)}
    assert len(names) == 50
    assert all(len(name) <= 40 and name.startswith("my-very-long-name") for name in names)


def test_a_job_is_started_followed_and_attached_to(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {"completed": 2, "earlyStopped": 1, "failed": 1, "running": 0}
    done = job(trialCounts=counts, bestTrial={"name": "resnet-0001", "objective": "0.41234567"})
    edited = {**done, "metadata": {**done["metadata"], "generation": 2}}
    session = FakeSession(job("Running"), edited, done)
    tuner = HyperparameterTuner(estimator(), "validation:accuracy", RANGES, max_jobs=4, session=fake(session))
    with pytest.raises(TuningError, match=r"call fit\(\)"):
        tuner.describe()
    tuner.fit(job_name="resnet", wait=False)
    TuningJob("resnet", fake(session)).wait(poll_seconds=0)
    shown = capsys.readouterr().out
    assert "4/4" in shown
    assert "stopped=1, failed=1, best=0.4123" in shown
    assert tuner.best_training_job() == "resnet-0001"
    tuner.stop_tuning_job()
    assert session.patches == [("resnet", {"spec": {"stop": True}})]
    attached = HyperparameterTuner.attach("resnet", fake(session))
    attached.fit(wait=False)
    assert session.created[0]["metadata"]["name"] == "resnet"
    assert session.created[1]["metadata"]["name"].startswith("resnet-")
    assert session.created[1]["spec"] == done["spec"]


def test_a_job_like_the_attached_one_is_all_that_it_was_but_stopped_or_suspended() -> None:
    grid = job("Stopped")
    grid["spec"] |= {"strategy": "Grid", "limits": {"maxParallelTrials": 2}, "stop": True, "suspend": True}
    del grid["spec"]["earlyStopping"]
    session = FakeSession(grid)
    attached = HyperparameterTuner.attach("resnet", fake(session))
    attached.fit(wait=False)
    (created,) = session.created
    assert created["spec"] == {name: value for name, value in grid["spec"].items() if name not in {"stop", "suspend"}}
    assert grid["spec"]["stop"] is True


def test_waiting_bears_an_api_server_that_is_away_for_a_while_and_tells_a_failure() -> None:
    away = UnavailableError("away")
    failed = job("Failed", completionReason="MaxFailedTrialsReached", message="3 trials failed")
    with pytest.raises(JobFailedError, match="MaxFailedTrialsReached: 3 trials failed"):
        TuningJob("resnet", fake(FakeSession(away, away, failed))).wait(progress=False, poll_seconds=0)
    with pytest.raises(UnavailableError):
        TuningJob("resnet", fake(FakeSession(away))).wait(progress=False, poll_seconds=0, patience_seconds=0)


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (
            404,
            "404 page not found",
            TuningError,
            "does not know tuningjobs.tuning-operator.dev: install the",
        ),
        (
            403,
            '{"message": "create is forbidden"}',
            TuningError,
            "is forbidden: ask for the role edit in namespace ml",
        ),
        (401, '{"message": "Unauthorized"}', TuningError, "Unauthorized: log in again"),
        (429, None, UnavailableError, "try again later"),
        (500, '{"message": "etcd is away"}', UnavailableError, "etcd is away; try again later"),
        (422, '{"message": "spec is wrong"}', TuningError, "^spec is wrong$"),
    ],
)
def test_refusals_say_what_to_do(status: int, body: str | None, kind: type[TuningError], says: str) -> None:
    refusal = ApiException(status=status, reason="Reason")
    refusal.body = body
    explained = explain(refusal, "ml")
    assert type(explained) is kind
    assert re.search(says, str(explained))
