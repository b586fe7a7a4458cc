"""Kubeflow's OptimizationJobs, and Katib's collector of event files."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.unit.client.documents import load, said
from tests.unit.client.samples import container_of, katib, made
from tuning_client.convert import ConversionError, convert

OPTIMIZATION = load("own-kubeflow-optimizationjob.yaml")


def optimization(**spec: Any) -> dict[str, Any]:
    document = copy.deepcopy(OPTIMIZATION)
    document["spec"] |= spec
    return document


def test_an_optimization_job_becomes_a_job() -> None:
    result = convert(OPTIMIZATION)
    spec = made(result)
    assert result.jobs[0]["metadata"] == {"name": "tune-bert", "namespace": "kubeflow"}
    assert (spec["strategy"], spec["seed"], spec["nodes"]) == ("Random", 42, 2)
    assert spec["objective"] == {"metric": "eval_loss", "goal": "Minimize"}
    assert spec["parameters"] == [
        {"name": "learning_rate", "continuous": {"min": 0.0001, "max": 0.1, "scale": "Log"}},
        {"name": "warmup", "integer": {"min": 0, "max": 500, "scale": "Linear"}},
        {"name": "batch_size", "categorical": {"values": ["16", "32", "64"]}},
    ]
    assert spec["limits"] == {"maxTrials": 20, "maxParallelTrials": 4}
    assert spec["template"]["metadata"] == {"labels": {"team": "language"}}
    assert "let it report each epoch by tuning_trainer" in said(result)


def test_its_script_finds_hyperparameters_under_kubeflows_names() -> None:
    variables = {item["name"]: item["value"] for item in container_of(convert(OPTIMIZATION))["env"]}
    assert variables["KUBEFLOW_TRAINER_OPT_LEARNING_RATE"] == "$(HP_learning_rate)"
    assert variables["KUBEFLOW_TRAINER_OPT_BATCH_SIZE"] == "$(HP_batch_size)"


def test_defaults_are_kubeflows() -> None:
    document = optimization(objectives=[{"metric": "loss"}])
    for name in ("searchAlgorithm", "numTrials", "parallelTrials"):
        del document["spec"][name]
    result = convert(document)
    assert made(result)["strategy"] == "Random"
    assert made(result)["objective"]["goal"] == "Minimize"
    assert made(result)["limits"]["maxParallelTrials"] == 1
    assert "spec.numTrials: is not set: Kubeflow then runs one trial" in said(result)
    assert "spec.objectives[0].direction: is not set: it is Minimize" in said(result)


def test_a_grid_is_one_where_all_its_combinations_can_be_tried() -> None:
    choices = [{"name": "a", "searchSpace": {"categorical": {"choices": ["1", "2"]}}}]
    result = convert(optimization(searchAlgorithm={"grid": {}}, parameters=choices))
    assert made(result)["strategy"] == "Grid"
    assert "Grid tries at most" in said(convert(optimization(searchAlgorithm={"grid": {}})))


def test_more_objectives_are_mentioned_and_none_is_refused() -> None:
    objectives = [{"metric": "loss"}, {"metric": "accuracy", "direction": "Maximize"}]
    assert "spec.objectives[1]: has no counterpart: a job has one objective" in said(
        convert(optimization(objectives=objectives))
    )
    with pytest.raises(ConversionError, match="objectives is missing"):
        convert(optimization(objectives=[]))


def test_a_distribution_that_is_not_known_costs_its_hyperparameter() -> None:
    parameters = [*OPTIMIZATION["spec"]["parameters"], {"name": "x", "searchSpace": {"normal": {"mean": "0"}}}]
    result = convert(optimization(parameters=parameters))
    assert [item["name"] for item in made(result)["parameters"]] == ["learning_rate", "warmup", "batch_size"]
    assert "searchSpace must have uniform, logUniform or categorical" in said(result).replace(": must", " must")


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ({"path": "/train", "kind": "Directory"}, "/train"),
        ({"path": "/train/", "kind": "Directory"}, "/train"),
        ({"path": "/train/../logs"}, "/logs"),
        ({}, "/var/log/katib/tfevent"),
    ],
)
def test_event_files_are_a_source_of_type_tensorboard(place: dict[str, str], path: str) -> None:
    collector = {"collector": {"kind": "TensorFlowEvent"}, "source": {"fileSystemPath": place}}
    result = convert(katib(metricsCollectorSpec=collector))
    metric = made(result)["objective"]["metric"]
    wanted = {"source": {"type": "TensorBoard", "tensorBoard": {"path": path, "tag": metric}}}
    assert made(result)["metrics"] == wanted
    assert f"type TensorBoard with exactly the tag {metric};" in said(result)
    assert container_of(result)["command"][0] == "python3", "it writes as it did"


@pytest.mark.parametrize("path", ["logs", "/", "", "/" + "x" * 300])
def test_a_folder_that_cannot_be_followed_is_mentioned(path: str) -> None:
    collector = {"collector": {"kind": "TensorFlowEvent"}, "source": {"fileSystemPath": {"path": path}}}
    result = convert(katib(metricsCollectorSpec=collector))
    assert "metrics" not in made(result)
    assert "the collector was left out: see spec.metrics.source" in said(result)
