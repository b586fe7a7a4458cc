"""Published manifests of SageMaker and Katib as ours; and that nothing of them is dropped silently."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.unit.client.documents import DATA, EXAMPLES, converted, load, said
from tests.unit.docs.schema import as_stored, job_schema, misspelt
from tuning_client.__main__ import main
from tuning_client.convert import ConversionError, convert
from tuning_client.logs import NUMBER, shown_and_kept
from tuning_operator.api.job import parse_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KATIBS_FILTER = r"(?:^|[^\w|-]){}\s*=\s*" + NUMBER


def from_log(*definitions: tuple[str, str], path: str = "/var/log/tuning/training.log") -> dict[str, Any]:
    """The source of a job whose metrics are found in a file by these names and regular expressions."""
    listed = [{"name": name.replace("\\", ""), "regex": regex} for name, regex in definitions]
    return {"source": {"type": "File", "file": {"path": path, "format": "Regex", "metricDefinitions": listed}}}


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value that is neither mapping nor list, and where it stands."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def changed(document: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The document with another value at a path."""
    result = copy.deepcopy(document)
    place: Any = result
    for part in path[:-1]:
        place = place[part]
    if isinstance(value, bool):
        place[path[-1]] = not value
    elif isinstance(value, int | float):
        place[path[-1]] = value + 1
    else:
        place[path[-1]] = f"{value}9" if value[-1:].isdigit() else f"{value}x"
    return result


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_value_makes_a_difference_or_is_mentioned(name: str) -> None:
    document = load(name)
    before = convert(document)
    mentioned = {path for note in before.notes for path in note.paths}
    silent = []
    for path, value in leaves(document):
        if any(path[: len(place)] == place for place in mentioned):
            continue
        try:
            after = convert(changed(document, path, value))
        except ConversionError:
            continue
        if after == before:
            silent.append(path)
    assert silent == []


def test_what_comes_out_are_jobs_that_the_operator_understands() -> None:
    schema = job_schema()
    for job in map(converted, EXAMPLES):
        assert list(misspelt(job, schema, "")) == []
        assert parse_job(as_stored(job)).job.name == job["metadata"]["name"]


def test_a_request_of_sagemakers_api_keeps_what_it_can() -> None:
    result = convert(load("sagemaker-all-fields.yaml"))
    (job,) = result.jobs
    assert job["metadata"] == {"name": "full-request", "labels": {"team": "vision"}}
    assert job["spec"] == {
        "strategy": "Hyperband",
        "hyperband": {"minResource": 1, "maxResource": 27},
        "seed": 7,
        "objective": {"metric": "validation:accuracy", "goal": "Maximize", "target": 0.95},
        "parameters": [
            {"name": "batch_size", "integer": {"min": 16, "max": 64, "scale": "Linear"}},
            {"name": "momentum", "continuous": {"min": 0.5, "max": 0.99, "scale": "ReverseLog"}},
            {"name": "optimizer", "categorical": {"values": ["sgd", "adam"]}},
        ],
        "staticParameters": {"dropout": "0.5", "epochs": "27", "_9lives": "yes"},
        "limits": {
            "maxTrials": 1000,
            "maxParallelTrials": 100,
            "maxDuration": "7200s",
            "maxTrialDuration": "3600s",
        },
        "completion": {"maxTrialsWithoutImprovement": 5},
        "earlyStopping": {"type": "Off"},
        "nodes": 2,
        "retry": {"maxAttempts": 4},
        "metrics": from_log(("validation:accuracy", f"acc={NUMBER}")),
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "training",
                        "image": "registry.example.com/resnet:1",
                        "env": [{"name": "LOG_LEVEL", "value": "debug"}],
                        "resources": {"limits": {"nvidia.com/gpu": 4}},
                    }
                ],
            }
        },
    }
    assert "TrainingJobDefinition.AlgorithmSpecification.AlgorithmName: 'resnet' has no counterpart" in said(result)
    assert "HyperParameterTuningJobConfig.ResourceLimits.MaxNumberOfTrainingJobs: was lowered from 2000" in said(result)


def test_a_warm_start_keeps_its_parents_where_there_is_a_model() -> None:
    request = load("sagemaker-xgboost.json")
    parents = [{"HyperParameterTuningJobName": "Base"}, {"HyperParameterTuningJobName": "base-2"}]
    request["WarmStartConfig"] = {
        "WarmStartType": "IdenticalDataAndAlgorithm",
        "ParentHyperParameterTuningJobs": parents,
    }
    result = convert(request)
    wanted = {"type": "IdenticalDataAndAlgorithm", "parents": ["base", "base-2"]}
    assert result.jobs[0]["spec"]["warmStart"] == wanted
    assert "WarmStartConfig.ParentHyperParameterTuningJobs[0].HyperParameterTuningJobName: became base" in said(result)
    request["WarmStartConfig"]["WarmStartType"] = "TransferLearning"
    assert convert(request).jobs[0]["spec"]["warmStart"] == {**wanted, "type": "TransferLearning"}
    request["HyperParameterTuningJobConfig"]["Strategy"] = "Random"
    result = convert(request)
    assert "warmStart" not in result.jobs[0]["spec"]
    assert "WarmStartConfig: has no counterpart with strategy Random" in said(result)


def test_the_dialects_of_sagemaker_come_to_the_same() -> None:
    ack, operator = converted("ack-xgboost.yaml"), converted("aws-operator-spot-xgboost.yaml")
    assert operator["metadata"] == {"name": "spot-xgboost-mnist-hpo"}
    assert operator["spec"]["limits"].pop("maxTrialDuration") == "3599s"
    assert ack["spec"]["limits"].pop("maxTrialDuration") == "3600s"
    assert ack["spec"] == operator["spec"]
    assert len(ack["spec"]["staticParameters"]) == 23


def test_several_definitions_are_several_jobs() -> None:
    request = load("sagemaker-xgboost.json")
    definition = request.pop("TrainingJobDefinition")
    ranges = request["HyperParameterTuningJobConfig"].pop("ParameterRanges")
    objective = {"Type": "Minimize", "MetricName": "validation:error"}
    request["TrainingJobDefinitions"] = [
        {**definition, "HyperParameterRanges": ranges},
        {**definition, "HyperParameterRanges": ranges, "TuningObjective": objective},
    ]
    result = convert(request)
    first, second = result.jobs
    assert second["metadata"]["name"] == f"{first['metadata']['name']}-2"
    assert first["spec"]["parameters"] == second["spec"]["parameters"]
    assert [job["spec"]["objective"]["metric"] for job in result.jobs] == ["validation:auc", "validation:error"]
    assert "TrainingJobDefinitions: a job has one template, so 2 jobs were made" in said(result)


def test_an_experiment_becomes_a_job_whose_variables_kubernetes_expands() -> None:
    result = convert(load("katib-bayesian-optimization.yaml"))
    (job,) = result.jobs
    assert job["metadata"] == {"name": "bayesian-optimization", "namespace": "kubeflow"}
    assert job["spec"] == {
        "strategy": "Bayesian",
        "seed": 10,
        "objective": {"metric": "Validation-accuracy", "goal": "Maximize", "target": 0.99, "value": "Best"},
        "parameters": [
            {"name": "lr", "continuous": {"min": 0.01, "max": 0.03, "scale": "Linear"}},
            {"name": "num_layers", "integer": {"min": 2, "max": 5, "scale": "Linear"}},
            {"name": "optimizer", "categorical": {"values": ["sgd", "adam", "ftrl"]}},
        ],
        "limits": {"maxTrials": 12, "maxParallelTrials": 3, "maxFailedTrials": 4},
        "earlyStopping": {"type": "Off"},
        "podCleanup": "Keep",
        "metrics": from_log(
            *((name, KATIBS_FILTER.replace("{}", name)) for name in (r"Validation\-accuracy", r"Train\-accuracy"))
        ),
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "training-container",
                        "image": "docker.io/kubeflowkatib/mxnet-mnist:v0.15.0",
                        "command": [
                            "sh",
                            "-c",
                            *shown_and_kept(["python3"])[2:],
                            "/opt/mxnet-mnist/mnist.py",
                            "--batch-size=64",
                            "--lr=$(HP_lr)",
                            "--num-layers=$(HP_num_layers)",
                            "--optimizer=$(HP_optimizer)",
                        ],
                        "env": [{"name": "PYTHONUNBUFFERED", "value": "1"}],
                        "terminationMessagePolicy": "FallbackToLogsOnError",
                    }
                ],
                "restartPolicy": "Never",
            }
        },
    }
    assert "num-layers is called num_layers here" in said(result)


@pytest.mark.parametrize(
    ("goal", "strategy", "value", "words"),
    [
        ("maximize", None, "Best", None),
        ("maximize", "max", "Best", None),
        ("minimize", "min", "Best", None),
        ("maximize", "latest", None, None),
        ("maximize", "min", "Best", "the worst epoch of a trial"),
    ],
)
def test_katibs_metric_strategy_says_which_epoch_counts(
    goal: str, strategy: str | None, value: str | None, words: str | None
) -> None:
    experiment = load("katib-bayesian-optimization.yaml")
    objective = experiment["spec"]["objective"]
    objective["type"] = goal
    if strategy:
        objective["metricStrategies"] = [{"name": "Validation-accuracy", "value": strategy}]
    result = convert(experiment)
    assert result.jobs[0]["spec"]["objective"].get("value") == value
    assert ("the worst epoch" in said(result)) == bool(words)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "katib-file-metrics-collector.yaml",
            ["{metricName: accuracy, metricValue: 0.97};{metricName: loss, metricValue: 1}"],
        ),
        (
            "katib-file-metrics-collector-json.yaml",
            ['{"accuracy": "0.97", "timestamp": 1638422847.2}', '{"loss": "1"}'],
        ),
        ("katib-random-of-stdout", ["accuracy=0.97 loss = 1", "val-accuracy=0.5"]),
    ],
)
def test_what_a_collector_of_katibs_finds_in_a_line_is_found(name: str, lines: list[str]) -> None:
    document = load(name if name.endswith(".yaml") else "katib-file-metrics-collector.yaml")
    if not name.endswith(".yaml"):
        del document["spec"]["metricsCollectorSpec"]
    (job,) = convert(document).jobs
    definitions = job["spec"]["metrics"]["source"]["file"]["metricDefinitions"]
    matches = [(item["name"], re.search(item["regex"], line)) for line in lines for item in definitions]
    found = {name: float(match[1]) for name, match in matches if match}
    assert found == {"accuracy": 0.97, "loss": 1}


@pytest.mark.parametrize(
    ("collector", "says"),
    [
        ({"collector": {"kind": "PrometheusMetric"}, "source": {"httpGet": {"port": 8080}}}, "has no epochs"),
        ({"collector": {"kind": "Custom"}}, "Custom has no counterpart"),
        ({"source": {"filter": {"metricsFormat": ["acc: ([0-9]+) ([0-9.]+)"]}}}, "finds no accuracy"),
    ],
)
def test_a_collector_without_a_counterpart_is_mentioned(collector: dict[str, Any], says: str) -> None:
    document = load("katib-file-metrics-collector.yaml")
    document["spec"]["metricsCollectorSpec"] = collector
    result = convert(document)
    assert "metrics" not in result.jobs[0]["spec"]
    assert f"spec.metricsCollectorSpec: {says}" in said(result)
    assert result.jobs[0]["spec"]["template"]["spec"]["containers"][0]["command"][0] == "python3"


def test_definitions_that_a_job_cannot_have_are_mentioned() -> None:
    document = load("sagemaker-all-fields.yaml")
    algorithm = document["TrainingJobDefinition"]["AlgorithmSpecification"]
    algorithm["MetricDefinitions"] += [{"Name": "a", "Regex": "a=[0-9]"}, {"Name": "b", "Regex": "b=(["}]
    algorithm["MetricDefinitions"].append({"Name": "c", "Regex": "(?i)epoch: (\\d+) c=([0-9.]+)"})
    result = convert(document)
    assert "the regular expression of c was left out: its first group is the value, which would be" in said(result)
    assert "the regular expression of a was left out: it has no group" in said(result)
    assert "the regular expression of b was left out: it is not a regular expression of RE2" in said(result)
    algorithm["MetricDefinitions"][0]["Name"] = "other"
    assert "metrics" not in convert(document).jobs[0]["spec"]
    assert "have none for the objective, validation:accuracy" in said(convert(document))


def test_katibs_strategies_steps_and_early_stopping() -> None:
    grid = converted("katib-grid.yaml")["spec"]
    assert grid["strategy"] == "Grid"
    stepped = {"min": 0.001, "max": 0.01, "scale": "Linear", "step": 0.001}
    assert grid["parameters"][0] == {"name": "lr", "continuous": stepped}
    hyperband = converted("katib-hyperband.yaml")["spec"]
    assert hyperband["hyperband"] == {"minResource": 1, "maxResource": 2, "reductionFactor": 2}
    assert hyperband["staticParameters"] == {"num_epochs": "2"}
    median = converted("katib-median-stop.yaml")["spec"]
    assert median["earlyStopping"] == {"type": "Median", "median": {"minCompletedTrials": 1, "minEpochs": 2}}
    assert median["podCleanup"] == "Keep"
    ranges = converted("katib-hyperopt-distribution.yaml")["spec"]["parameters"]
    scales = [next(iter(item[kind]["scale"] for kind in ("continuous", "integer") if kind in item)) for item in ranges]
    assert scales == ["Linear", "Linear", "Log", "Log"]


def test_a_training_job_of_kubeflow_gives_the_template_of_its_master_and_its_nodes() -> None:
    result = convert(load("katib-pytorchjob-mnist.yaml"))
    (job,) = result.jobs
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"][-1] == "--momentum=$(HP_momentum)"
    assert job["spec"]["nodes"] == 2
    assert {"name": "WORLD_SIZE", "value": "$(NNODES)"} in container["env"]
    assert "pytorchReplicaSpecs: became spec.nodes 2" in said(result)


def test_a_placeholder_that_kubernetes_does_not_expand_is_mentioned() -> None:
    document = load("katib-median-stop.yaml")
    pod = document["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]
    pod["metadata"] = {"annotations": {"lr": "${trialParameters.learningRate}"}, "name": "x"}
    pod["spec"]["restartPolicy"] = "OnFailure"
    result = convert(document)
    assert "${trialParameters.learningRate} cannot be filled in" in said(result)
    assert "spec.template.metadata.name: 'x' has no counterpart" in said(result)
    assert "restartPolicy: is Never here" in said(result)
    assert result.jobs[0]["spec"]["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        ({"kind": "Deployment"}, "this is kubeflow.org/v1beta1 Deployment; supported are"),
        ({"apiVersion": "kubeflow.org/v1alpha3"}, "this is kubeflow.org/v1alpha3 Experiment"),
        ({"spec": {"algorithm": {"algorithmName": "darts"}}}, r"algorithmName 'darts' has no counterpart: use one of"),
        ({"spec": {"nasConfig": {"graphConfig": {}}}}, "no architecture search"),
        ({"spec": {"trialTemplate": {"configMap": {"configMapName": "x"}}}}, r"trialTemplate\.trialSpec is missing"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_field_and_remedy(patch: dict[str, Any], says: str) -> None:
    document = load("katib-grid.yaml")
    spec = {**document["spec"], **patch.pop("spec", {})}
    with pytest.raises(ConversionError, match=says):
        convert({**document, **patch, "spec": spec})


def test_the_command_writes_manifests_to_one_stream_and_notes_to_the_other(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    several = tmp_path / "several.yaml"
    several.write_text("---\n".join((DATA / name).read_text() for name in ("katib-grid.yaml", "ack-xgboost.yaml")))
    assert main(["convert", str(several)]) == 0
    streams = capsys.readouterr()
    assert [job["kind"] for job in yaml.safe_load_all(streams.out)] == ["HyperparameterTuningJob"] * 2
    assert "- spec.trainingJobDefinition.roleARN: has no counterpart: " in streams.err
    assert main(["convert", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err
