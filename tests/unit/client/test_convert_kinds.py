"""One bad value costs itself and no more, and what has a counterpart gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.unit.client.documents import load, said
from tests.unit.client.samples import container_of, katib, made, sagemaker
from tests.unit.docs.schema import job_schema
from tuning_client import logs
from tuning_client.__main__ import main
from tuning_client.convert import ConversionError, convert, logfile, search
from tuning_client.convert import job as limits_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "becomes", "says"),
    [
        ("", "", ""),
        (None, "", "is not a string: the training gets ''"),
        (3, "3", ""),
        (True, "true", "is not a string: the training gets 'true'"),
        ([1, "a"], '[1, "a"]', "is not a string"),
        ({"a": None}, '{"a": null}', "is not a string"),
        ('"sgd"', "sgd", "JSON-encoded, as SageMaker's SDK writes it"),
        ('"', '"', ""),
        ('""', "", "JSON-encoded"),
        ('"a" "b"', '"a" "b"', ""),
        ("1e-3", "1e-3", ""),
    ],
)
def test_a_static_hyperparameter_may_be_anything(value: Any, becomes: str, says: str) -> None:
    for static in ({"x": value, "good": "1"}, [{"Name": "x", "Value": value}, {"Name": "good", "Value": "1"}]):
        result = convert(sagemaker(StaticHyperParameters=static))
        assert made(result)["staticParameters"] == {"x": becomes, "good": "1"}
        assert says in said(result)


def test_a_request_within_another_document_is_named() -> None:
    state = {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createHyperParameterTuningJob"}
    document = {"StartAt": "Tune", "States": {"Tune": {**state, "Parameters": sagemaker()}}}
    with pytest.raises(
        ConversionError, match=r"^States.Tune.Parameters is a CreateHyperParameterTuningJob request: conv"
    ):
        convert(document)


def test_the_environment_may_be_anything_but_what_the_operator_sets() -> None:
    given: dict[str, Any] = {
        "EMPTY": "",
        "NONE": None,
        "N": 1,
        "ON": True,
        "LIST": [],
        "MAP": {"a": 1},
        "HP_lr": "1",
        "TUNING_JOB": "x",
    }
    result = convert(sagemaker(Environment=given))
    wanted = {"EMPTY": "", "NONE": "", "N": "1", "ON": "true"}
    assert container_of(result)["env"] == [{"name": name, "value": value} for name, value in wanted.items()]
    for name in ("LIST", "MAP", "HP_lr", "TUNING_JOB"):
        assert f"TrainingJobDefinition.Environment.{name}: " in said(result)


@pytest.mark.parametrize(
    "tags",
    [{"team": "vision", "empty": None}, [{"Key": "team", "Value": "vision"}, {"key": "empty"}, {"Value": "x"}, 3]],
)
def test_tags_may_be_a_mapping_or_a_list(tags: Any) -> None:
    (job,) = convert({**sagemaker(), "Tags": tags}).jobs
    assert job["metadata"]["labels"] == {"team": "vision", "empty": ""}


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("ResourceConfig.InstanceCount", "many", "InstanceCount: must be a whole number, not 'many'; it was left out"),
        (
            "ResourceConfig.InstanceType",
            ["ml.m5.large"],
            "InstanceType: must be a string, not a list; the container asks",
        ),
        ("StoppingCondition.MaxRuntimeInSeconds", {}, ""),
        ("StoppingCondition.MaxRuntimeInSeconds", -5, "was raised from -5 to 1"),
        ("AlgorithmSpecification.TrainingImage", {"a": 1}, "must be a string, not a mapping; the image is registry"),
        ("EnableManagedSpotTraining", "maybe", "must be true or false, not 'maybe'"),
        ("RetryStrategy", "often", "'often' has no counterpart"),
        ("StaticHyperParameters", "x=1", "'x=1' has no counterpart"),
        ("AlgorithmSpecification.MetricDefinitions", [3, {"Name": "loss"}], "MetricDefinitions[0].Name: is missing"),
    ],
)
def test_a_field_of_another_type_costs_itself(path: str, value: Any, says: str) -> None:
    request = sagemaker()
    place = request["TrainingJobDefinition"]
    *above, last = path.split(".")
    for name in above:
        place = place.setdefault(name, {})
    place[last] = value
    result = convert(request)
    longest = {"maxTrialDuration": "1s"} if value == -5 else {}
    assert made(result)["limits"] == {"maxTrials": 4, "maxParallelTrials": 2, **longest}
    assert says in said(result)


def test_a_hyperparameter_that_cannot_be_searched_does_not_cost_the_others() -> None:
    request = sagemaker()
    ranges = request["HyperParameterTuningJobConfig"]["ParameterRanges"]
    ranges["ContinuousParameterRanges"] += [
        {"Name": "a", "MinValue": "low", "MaxValue": "1"},
        {"Name": "b", "MinValue": "2", "MaxValue": "1"},
        {"Name": "c", "MinValue": "nan", "MaxValue": "1"},
        {"Name": "optimizer", "MinValue": "0", "MaxValue": "1"},
        {"Name": "d", "MinValue": "0", "MaxValue": "1", "ScalingType": "Logarithmic"},
        {"MinValue": "0", "MaxValue": "1"},
        "e",
    ]
    ranges["CategoricalParameterRanges"] += [
        {"Name": "f", "Values": ["", "x" * 200, None, '"y"', "y", 3]},
        {"Name": "g", "Values": []},
        {"Name": "lr", "Values": ["a"]},
    ]
    result = convert(request)
    assert [parameter["name"] for parameter in made(result)["parameters"]] == ["lr", "optimizer", "d", "f"]
    assert made(result)["parameters"][2]["continuous"]["scale"] == "Linear"
    assert made(result)["parameters"][3]["categorical"]["values"] == ["y", "3"]
    for place in (f"ContinuousParameterRanges[{number}]" for number in (1, 2, 3, 6, 7)):
        assert place in said(result)
    assert "CategoricalParameterRanges[0].Name: optimizer is HP_optimizer in the training's environment" in said(result)


def test_a_definition_that_cannot_be_converted_does_not_cost_the_others() -> None:
    request = sagemaker()
    good = request.pop("TrainingJobDefinition")
    request["TrainingJobDefinitions"] = [{**good, "TuningObjective": {"Type": "?", "MetricName": "x"}}, good]
    result = convert(request)
    assert [job["metadata"]["name"] for job in result.jobs] == ["small"]
    assert "must be Maximize or Minimize, not '?'; no job was made of this definition" in said(result)


def test_what_a_job_cannot_do_without_is_named() -> None:
    request = sagemaker()
    request["HyperParameterTuningJobConfig"]["ParameterRanges"] = {
        "IntegerParameterRanges": [{"Name": "n", "MinValue": "1", "MaxValue": "many"}]
    }
    with pytest.raises(ConversionError, match="MaxValue: must be a whole number, not 'many'"):
        convert(request)


@pytest.mark.parametrize(
    ("given", "nodes", "env"),
    [
        ("own-katib-indexed-job.yaml", 4, {"RUN"}),
        ("own-katib-mpijob.yaml", 3, {"PET_NPROC_PER_NODE", "PYTHONUNBUFFERED"}),
        ("own-katib-tfjob.yaml", 3, set()),
        ("own-katib-trainjob.yaml", 2, {"PET_NPROC_PER_NODE", "PYTHONUNBUFFERED"}),
        ("katib-pytorchjob-mnist.yaml", 2, {"WORLD_SIZE", "RANK", "PYTHONUNBUFFERED"}),
    ],
)
def test_workers_are_nodes(given: str, nodes: int, env: set[str]) -> None:
    result = convert(load(given))
    assert made(result)["nodes"] == nodes
    assert {variable["name"] for variable in container_of(result).get("env", [])} == env
    assert f"became spec.nodes {nodes}" in said(result)
    assert "a trial is one Pod" not in said(result)


def test_the_launchers_nodes_ask_for_what_the_workers_asked_for() -> None:
    assert container_of(convert(load("own-katib-mpijob.yaml")))["resources"] == {"limits": {"nvidia.com/gpu": 2}}


def test_limits_of_a_batch_job_are_those_of_a_trial() -> None:
    result = convert(load("own-katib-indexed-job.yaml"))
    assert made(result)["retry"] == {"maxAttempts": 3}
    assert made(result)["template"]["spec"]["activeDeadlineSeconds"] == 3600
    assert "backoffLimit: is not set: a Job is then tried 7 times, a trial once" in said(convert(katib()))


@pytest.mark.parametrize("counts", [{"parallelism": 2}, {"completions": 3, "completionMode": "NonIndexed"}])
def test_pods_without_numbers_are_no_nodes(counts: dict[str, Any]) -> None:
    document = katib()
    document["spec"]["trialTemplate"]["trialSpec"]["spec"] |= counts
    result = convert(document)
    assert "nodes" not in made(result)
    assert "those of a Job that is not Indexed have no numbers; see spec.nodes" in said(result)


@pytest.mark.parametrize(
    ("instance", "gpus", "says"),
    [
        ("ml.p3.8xlarge", 4, "the container asks for 4 GPU"),
        ("ml.m5.large", None, "the container asks for no GPU"),
        ("ml.p9.48xlarge", None, "it is not an instance type whose GPUs are known here"),
        ("ml.g5.1xlarge", None, "it is not an instance type whose GPUs are known here"),
        ("ml.trn1.32xlarge", None, "it has Trainium chips, which the resource aws.amazon.com/neuron counts"),
        ("local_gpu", None, "it is not an instance type whose GPUs are known here"),
    ],
)
def test_an_instance_type_says_what_became_of_its_gpus(instance: str, gpus: int | None, says: str) -> None:
    result = convert(sagemaker(ResourceConfig={"InstanceType": instance, "InstanceCount": 1}))
    assert container_of(result).get("resources") == (gpus and {"limits": {"nvidia.com/gpu": gpus}})
    assert says in said(result)
    choice = {"InstanceConfigs": [{"InstanceType": instance, "InstanceCount": 2}]}
    result = convert(sagemaker(HyperParameterTuningResourceConfig=choice))
    assert made(result)["nodes"] == 2
    assert container_of(result).get("resources") == (gpus and {"limits": {"nvidia.com/gpu": gpus}})


def test_a_grid_that_cannot_be_tried_is_a_random_search() -> None:
    request = sagemaker()
    request["HyperParameterTuningJobConfig"]["Strategy"] = "grid"
    result = convert(request)
    assert made(result)["strategy"] == "Random"
    assert "HyperParameterTuningJobConfig.Strategy: Grid tries at most 10000 combinations" in said(result)
    del request["HyperParameterTuningJobConfig"]["ParameterRanges"]["ContinuousParameterRanges"]
    assert made(convert(request))["strategy"] == "Grid"


def test_whole_numbers_at_equal_distances_are_a_range() -> None:
    def discrete(*values: str) -> dict[str, Any]:
        space = {"name": "n", "parameterType": "discrete", "feasibleSpace": {"list": list(values)}}
        (parameter,) = made(convert(katib(parameters=[space])))["parameters"]
        found: dict[str, Any] = parameter
        return found

    assert discrete("48", "16", "32")["integer"] == {"min": 16, "max": 48, "scale": "Linear", "step": 16}
    assert discrete("256", "16", "64")["discrete"] == {"values": [16, 64, 256], "scale": "Linear"}
    assert discrete("0.5", "1.0")["discrete"] == {"values": [0.5, 1.0], "scale": "Linear"}
    assert discrete("1", "two")["categorical"] == {"values": ["1", "two"]}
    assert discrete("1", "nan")["categorical"] == {"values": ["1", "nan"]}


@pytest.mark.parametrize(
    ("algorithm", "distribution", "step", "expected"),
    [
        ("random", "uniform", "0.25", {"min": 0.5, "max": 1.5, "scale": "Linear", "step": 0.25}),
        ("random", "logUniform", "0.25", {"min": 0.5, "max": 1.5, "scale": "Log"}),
        ("grid", "logUniform", "0.25", {"min": 0.5, "max": 1.5, "scale": "Linear", "step": 0.25}),
        ("random", "uniform", "0.0001", {"min": 0.5, "max": 1.5, "scale": "Linear"}),
        ("random", "uniform", "2", {"min": 0.5, "max": 1.5, "scale": "Linear"}),
        ("random", "uniform", "much", {"min": 0.5, "max": 1.5, "scale": "Linear"}),
    ],
)
def test_steps_of_a_double_are_kept_where_a_job_has_them(
    algorithm: str, distribution: str, step: str, expected: dict[str, Any]
) -> None:
    space = {"min": "0.5", "max": "1.5", "step": step, "distribution": distribution}
    parameter = {"name": "x", "parameterType": "double", "feasibleSpace": space}
    result = convert(katib(parameters=[parameter], algorithm={"algorithmName": algorithm}))
    assert made(result)["parameters"] == [{"name": "x", "continuous": expected}]
    assert ("step" in expected) != ("step" in said(result))


def test_limits_are_those_of_the_definition() -> None:
    spec = job_schema()["properties"]["spec"]["properties"]
    file = spec["metrics"]["properties"]["source"]["properties"]["file"]["properties"]
    definition = file["metricDefinitions"]["items"]["properties"]
    parameter = spec["parameters"]["items"]["properties"]
    values = parameter["categorical"]["properties"]["values"]
    static = spec["staticParameters"]
    limits = spec["limits"]["properties"]
    assert (
        file["metricDefinitions"]["maxItems"],
        definition["name"]["maxLength"],
        definition["regex"]["maxLength"],
    ) == (logs.MAX_DEFINITIONS, logs.MAX_NAME, logs.MAX_REGEX)
    assert file["path"]["maxLength"] == logfile.MAX_PATH
    assert (spec["parameters"]["maxItems"], static["maxProperties"]) == (search.MAX_PARAMETERS, search.MAX_STATIC)
    assert static["additionalProperties"]["maxLength"] == search.MAX_STATIC_TEXT
    assert (values["maxItems"], values["items"]["maxLength"]) == (search.MAX_VALUES, search.MAX_VALUE)
    assert limits["maxTrials"]["maximum"] == search.MAX_GRID
    assert limits["maxParallelTrials"]["maximum"] == limits_of.MAX_PARALLEL_TRIALS
    assert spec["nodes"]["maximum"] == limits_of.MAX_NODES
    assert spec["retry"]["properties"]["maxAttempts"]["maximum"] == limits_of.MAX_ATTEMPTS
    assert spec["seed"]["maximum"] == limits_of.MAX_SEED
    assert spec["objective"]["properties"]["metric"]["maxLength"] == limits_of.MAX_METRIC
    assert spec["hyperband"]["properties"]["maxResource"]["maximum"] == limits_of.MAX_RESOURCE


def trial_of(trial: dict[str, Any], *parameters: tuple[str, str]) -> dict[str, Any]:
    """An Experiment with this trial, and placeholders for these references."""
    document = katib()
    document["metadata"]["namespace"] = "team-a"
    document["spec"]["trialTemplate"] = {
        "trialParameters": [{"name": name, "reference": reference} for name, reference in parameters],
        "trialSpec": trial,
    }
    return document


TRAINS = {"containers": [{"name": "train", "image": "example.com/a:1", "command": ["train"]}]}


def test_references_to_a_trials_metadata_are_what_is_known_of_it() -> None:
    pod = {
        "containers": [
            {**TRAINS["containers"][0], "command": ["train", *(f"${{trialParameters.{n}}}" for n in "abcdefg")]}
        ]
    }
    trial = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"labels": {"team": "vision"}, "annotations": {"cost": "$(1)"}},
        "spec": {"template": {"spec": pod}},
    }
    names = ("Name", "Namespace", "Kind", "APIVersion", "Labels[team]", "Annotations[cost]", "Labels[other]")
    result = convert(
        trial_of(trial, *((n, f"${{trialSpec.{name}}}") for n, name in zip("abcdefg", names, strict=True)))
    )
    words = container_of(result)["command"]
    known = ["$(TUNING_TRIAL)", "team-a", "Job", "batch/v1", "vision", "$$(1)", "${trialParameters.g}"]
    assert words[-len(known) :] == known
    assert "${trialSpec.Labels[other]} is neither a hyperparameter of this job nor known before a trial" in said(result)


def test_a_trials_labels_are_those_of_its_pods_which_queueing_controllers_look_at() -> None:
    trial = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "a", "team": "x"}},
        "spec": {"template": {"metadata": {"labels": {"team": "y"}}, "spec": TRAINS}},
    }
    result = convert(trial_of(trial))
    assert made(result)["template"]["metadata"]["labels"] == {"kueue.x-k8s.io/queue-name": "a", "team": "y"}
    assert "trialSpec.metadata: labels became those of the Pods" in said(result)


def test_a_trial_may_be_a_pod() -> None:
    result = convert(trial_of({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": "b"}}, "spec": TRAINS}))
    assert container_of(result)["image"] == "example.com/a:1"
    assert made(result)["template"]["metadata"]["labels"] == {"a": "b"}


@pytest.mark.parametrize("kind", ["ray.io/v1 RayJob", "argoproj.io/v1alpha1 Workflow", "tekton.dev/v1 PipelineRun"])
def test_a_kind_of_trial_without_a_counterpart_does_not_cost_the_search(kind: str) -> None:
    version, _, name = kind.partition(" ")
    result = convert(trial_of({"apiVersion": version, "kind": name, "spec": {"entrypoint": "python train.py"}}))
    assert made(result)["parameters"] == made(convert(katib()))["parameters"]
    assert f"trialSpec: of kind {name} ({version}) has no counterpart: write the Pod that trains" in said(result)


def test_a_parent_that_would_be_the_job_itself_is_left_out() -> None:
    parents = [{"HyperParameterTuningJobName": name} for name in ("Small", "other")]
    request = sagemaker() | {
        "WarmStartConfig": {"WarmStartType": "TransferLearning", "ParentHyperParameterTuningJobs": parents}
    }
    result = convert(request)
    assert made(result)["warmStart"] == {"type": "TransferLearning", "parents": ["other"]}
    assert "[0].HyperParameterTuningJobName: would be the job itself: rename one of the two" in said(result)
    del parents[1]
    assert "warmStart" not in made(convert(request))


def test_jobs_of_one_name_get_others_since_each_would_overwrite_the_one_before() -> None:
    long = "a-very-long-name-of-a-tuning-job-version-"
    names = ["small", "Small", "small-2", long + "1", long + "2"]
    result = convert([sagemaker() | {"HyperParameterTuningJobName": name} for name in names])
    assert [job["metadata"]["name"] for job in result.jobs] == [
        *("small", "small-2", "small-2-2"),
        *(long[:40].rstrip("-"), f"{long[:38]}-2"),
    ]
    assert "another job is called small as well, and one would overwrite the other: it became small-2" in said(result)
    apart = [katib() for _ in range(2)]
    apart[0]["metadata"]["namespace"] = "elsewhere"
    assert len({job["metadata"]["name"] for job in convert(apart).jobs}) == 1, "other namespaces are other jobs"


def test_jobs_of_several_documents_get_different_names(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(yaml.safe_dump_all([sagemaker(), sagemaker()]))
    assert main(["convert", str(path)]) == 0
    written, told = capsysbinary.readouterr()
    assert [job["metadata"]["name"] for job in yaml.safe_load_all(written)] == ["small", "small-2"]
    assert b"it became small-2" in told


@pytest.mark.parametrize("bound", ["1e-400", "-0.1E-500", "0.0001e-9999"])
def test_a_bound_that_is_too_small_for_a_number_is_not_zero(bound: str) -> None:
    request = sagemaker()
    ranges = request["HyperParameterTuningJobConfig"]["ParameterRanges"]["ContinuousParameterRanges"]
    ranges.append({"Name": "tiny", "MinValue": bound, "MaxValue": "1"})
    result = convert(request)
    assert "tiny" not in str(made(result)["parameters"])
    assert "MinValue: must be a number of at least 1e-308 in size, or 0" in said(result)
    ranges[-1]["MinValue"] = "0e-400"
    assert "tiny" in str(made(convert(request))["parameters"])


@pytest.mark.parametrize(
    "document",
    [
        {"program": "train.py", "method": "bayes", "parameters": {"lr": {"min": 0.1, "max": 1}}},
        {"run": "PPO", "config": {"lr": {"grid_search": [1, 2]}}},
        {"displayName": "study", "studySpec": {"metrics": []}, "trialJobSpec": {}},
        {"StartAt": "a", "States": {"a": {"Parameters": {"HyperParameterTuningJobConfig": {}}}}},
    ],
)
def test_a_study_of_another_tool_is_refused_with_what_is_supported(document: dict[str, Any]) -> None:
    with pytest.raises(ConversionError, match="has neither a kind nor a HyperParameterTuningJobConfig; supported are"):
        convert(document)
