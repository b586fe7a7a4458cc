"""SageMaker's names have SageMaker's meaning, or say what to write instead."""

from __future__ import annotations

import inspect
import json
import logging
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

import tuning_client
from tests.unit.client.bodies import FakeSession, job, trial
from tuning_client import (
    CategoricalParameter,
    ContinuousParameter,
    DiscreteParameter,
    Estimator,
    HyperbandStrategyConfig,
    HyperparameterTuner,
    HyperparameterTuningJobAnalytics,
    IntegerParameter,
    Session,
    StrategyConfig,
    TuningJobCompletionCriteriaConfig,
    WarmStartConfig,
)
from tuning_client.convert import convert
from tuning_client.elsewhere import ANALYTICS, ATTACH, ESTIMATOR, ESTIMATOR_METHODS, FIT, TUNER, TUNER_METHODS
from tuning_client.logs import NUMBER, shown_and_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SDK = [
    line.split()
    for line in (Path(__file__).parents[1] / "docs" / "sagemaker_sdk.txt").read_text().splitlines()
    if line[0] != "#"
]
REFUSED = {
    "Estimator": ESTIMATOR,
    "HyperparameterTuner": TUNER,
    "HyperparameterTuner.fit": FIT,
    "HyperparameterTuner.attach": ATTACH,
    "HyperparameterTuningJobAnalytics": ANALYTICS,
}
X = {"x": ContinuousParameter(0, 1)}


def training(**arguments: Any) -> Estimator:
    return Estimator("registry.example.com/trainer:1", **arguments)


def spec(*arguments: Any, ranges: Any = None, estimator: Estimator | None = None, **named: Any) -> dict[str, Any]:
    tuner = HyperparameterTuner(estimator or training(), "loss", X if ranges is None else ranges, *arguments, **named)
    made: dict[str, Any] = json.loads(json.dumps(tuner.manifest("x"), allow_nan=False))["spec"]
    return made


@pytest.mark.parametrize(("name", "arguments"), [(line[0], line[1:]) for line in SDK], ids=[line[0] for line in SDK])
def test_every_name_is_there_with_its_arguments_or_says_what_to_write(name: str, arguments: list[str]) -> None:
    owner, _, attribute = name.partition(".")
    found = getattr(tuning_client, owner)
    methods = {"Estimator": ESTIMATOR_METHODS, "HyperparameterTuner": TUNER_METHODS}.get(owner, {})
    if attribute in methods:
        assert not hasattr(found, attribute)
        return
    found = getattr(found, attribute) if attribute else found
    if not arguments:
        return
    ours = [word for word in inspect.signature(found).parameters if word not in {"self", "session", "spec", "other"}]
    refused = REFUSED.get(name, {})
    assert [word for word in arguments if word not in ours and word not in refused] == []
    positional = [word for word in arguments if word in ours][:3]
    assert ours[: len(positional)] == positional


def test_a_single_value_is_one_and_a_list_or_anything_like_it_are_several() -> None:
    def values(given: Any) -> list[str]:
        return list(CategoricalParameter(given).values)

    assert values("sgd") == ["sgd"]
    assert values(3) == values(np.int64(3)) == values(np.array(3)) == ["3"]
    assert values(["sgd", "adam"]) == values(("sgd", "adam")) == values(np.array(["sgd", "adam"])) == ["sgd", "adam"]
    assert values([np.float64(0.1), 2, True]) == ["0.1", "2", "True"]
    assert values(range(2)) == ["0", "1"]
    with pytest.raises(TypeError, match=r"must be a list, not {'a': 1}"):
        values({"a": 1})
    assert WarmStartConfig("TransferLearning", "base").render()["parents"] == ["base"]
    with pytest.raises(TypeError, match=r"command must be a list of strings, as in \['python', 'train.py'\]"):
        training(command="python train.py")
    with pytest.raises(TypeError, match="args must be a list"):
        training(container_arguments="--x")


def test_numbers_of_numpy_and_numbers_as_texts_are_numbers() -> None:
    made = spec(
        ranges={
            "a": ContinuousParameter(np.float32(0.5), np.float64(2)),
            "b": IntegerParameter(np.int64(1), np.int32(9), step=np.int64(2)),
            "c": IntegerParameter("1", "64"),
            "stepped": ContinuousParameter(0, 1, step="0.25"),
            "chosen": DiscreteParameter(np.array([1, 0.1, 0.3]), "Logarithmic"),
            "widths": DiscreteParameter([64, 16.0, 64]),
        },
        max_jobs=np.int64(20),
        max_parallel_jobs=np.int64(2),
        max_runtime_in_seconds=np.int64(60),
        random_seed=np.uint32(7),
        strategy="Hyperband",
        strategy_config=StrategyConfig(HyperbandStrategyConfig(np.int64(27), np.int64(1))),
        completion_criteria_config=TuningJobCompletionCriteriaConfig(np.int64(5), None, np.float64(0.5)),
        spec={"limits": {"maxFailedTrials": np.int64(3)}, "template": {"spec": {"tolerations": ({"key": "gpu"},)}}},
    )
    assert [next(iter(item[kind].values())) for item in made["parameters"] for kind in item if kind != "name"] == [
        0.5,
        1,
        1,
        0,
        [0.1, 0.3, 1],
        [16, 64],
    ]
    assert made["parameters"][3]["continuous"] == {"min": 0, "max": 1, "scale": "Auto", "step": 0.25}
    assert made["parameters"][4]["discrete"]["scale"] == "Log"
    assert made["parameters"][1]["integer"] == {"min": 1, "max": 9, "step": 2, "scale": "Auto"}
    assert made["limits"] == {"maxTrials": 20, "maxParallelTrials": 2, "maxDuration": "60s", "maxFailedTrials": 3}
    assert made["seed"] == 7
    assert made["completion"] == {"maxTrialsWithoutImprovement": 5}
    assert made["template"]["spec"]["tolerations"] == [{"key": "gpu"}]


@pytest.mark.parametrize(
    ("range_", "says"),
    [
        (ContinuousParameter("a", 1), "min_value of a ContinuousParameter must be a finite number, not 'a'"),
        (ContinuousParameter(0, float("nan")), "max_value of a ContinuousParameter must be a finite number"),
        (IntegerParameter(1, 2.5), "max_value of an IntegerParameter must be whole, not 2.5; ContinuousParameter"),  # type: ignore[arg-type]
        (IntegerParameter(None, 2), "min_value of an IntegerParameter must be a finite number, not None"),  # type: ignore[arg-type]
    ],
)
def test_messages_name_the_right_class(range_: Any, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        spec(ranges={"x": range_})


def test_no_trials_are_not_one() -> None:
    assert spec(max_jobs=0)["limits"]["maxTrials"] == 0, "which the API server refuses in its own words"


def test_arguments_stand_in_sagemakers_order() -> None:
    definitions = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
    made = spec(definitions, "Random", "Minimize", 5, 2, 60, [{"Key": "team", "Value": "vision"}], "base")
    assert made["strategy"] == "Random"
    assert made["objective"] == {"metric": "loss", "goal": "Minimize"}
    assert made["limits"] == {"maxTrials": 5, "maxParallelTrials": 2, "maxDuration": "60s"}


def test_tags_are_sagemakers_list_or_a_mapping() -> None:
    def labels(tags: Any) -> dict[str, str] | None:
        found: dict[str, str] | None = (
            HyperparameterTuner(training(), "loss", X, tags=tags).manifest("x")["metadata"].get("labels")
        )
        return found

    assert labels([{"Key": "team", "Value": "vision"}, {"Key": "n", "Value": 1}]) == {"team": "vision", "n": "1"}
    assert labels({"team": "vision"}) == labels({"Key": "team", "Value": "vision"}) == {"team": "vision"}
    assert labels([]) is None
    with pytest.raises(ValueError, match=r"tags: cost centre=42 cannot be a label"):
        labels([{"Key": "cost centre", "Value": "42"}])
    with pytest.raises(TypeError, match="tags must be"):
        labels(["team"])


def test_metric_definitions_are_found_in_what_the_command_prints() -> None:
    definitions = [{"Name": "loss", "Regex": "#011loss=([0-9.]+)"}]
    made = spec(definitions, estimator=training(command=["python", "train.py"]))
    file = made["metrics"]["source"]["file"]
    assert file["metricDefinitions"] == [{"name": "loss", "regex": rf"(?:#011|\x09)loss={NUMBER}"}]
    (container,) = made["template"]["spec"]["containers"]
    assert container["command"] == shown_and_kept(["python", "train.py"])
    assert container["env"] == [{"name": "PYTHONUNBUFFERED", "value": "1"}]
    own = training(command=["python"], metric_definitions=definitions)
    assert spec(estimator=own)["metrics"]["source"]["file"]["path"] == file["path"]
    with pytest.raises(ValueError, match="must have one for the objective, 'loss', not for accuracy alone"):
        spec([{"Name": "accuracy", "Regex": "a=(.*)"}])
    with pytest.raises(ValueError, match="the Regex of 'loss' cannot be used: it is not a regular expression of RE2"):
        spec([{"Name": "loss", "Regex": "(?<=loss=)(.*)"}])


def test_an_image_whose_program_is_not_known_is_named_with_the_file_to_write(caplog: pytest.LogCaptureFixture) -> None:
    assert "metrics" in spec([{"Name": "loss", "Regex": "loss=([0-9.]+)"}])
    assert "let it write what it prints to /var/log/tuning/training.log as well" in caplog.text


def test_names_are_changed_as_the_converter_changes_them(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    estimator = training(hyperparameters={"num-layers": 18, "9lives": True})
    made = spec(ranges={"batch-size": IntegerParameter(16, 64)}, estimator=estimator)
    assert made["parameters"][0]["name"] == "batch_size"
    assert made["staticParameters"] == {"num_layers": "18", "_9lives": "True"}
    assert "batch-size is called batch_size here" in caplog.text
    request = {
        "HyperParameterTuningJobName": "x",
        "HyperParameterTuningJobConfig": {
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ParameterRanges": {
                "IntegerParameterRanges": [{"Name": "batch-size", "MinValue": "16", "MaxValue": "64"}],
            },
        },
        "TrainingJobDefinition": {"StaticHyperParameters": estimator.hyperparameters()},
    }
    converted = convert(request).jobs[0]["spec"]
    assert converted["staticParameters"] == made["staticParameters"]
    assert converted["parameters"][0]["name"] == made["parameters"][0]["name"]
    with pytest.raises(ValueError, match="'batch_size' is HP_batch_size in the training's environment, as another"):
        spec(ranges={"batch-size": IntegerParameter(1, 2), "batch_size": IntegerParameter(1, 2)})


def test_an_estimator_takes_what_has_a_counterpart() -> None:
    made = spec(
        estimator=Estimator(
            "example.com/a:1",
            None,
            2,
            "ml.p3.8xlarge",
            container_entry_point=["python", "train.py"],
            container_arguments=["--lr=$(HP_x)"],
            max_run=3600,
            max_retry_attempts=np.int64(2),
            tags=[{"Key": "team", "Value": "vision"}],
            use_spot_instances=False,
        )
    )
    assert (made["nodes"], made["retry"]) == (2, {"maxAttempts": 3})
    template = made["template"]
    assert template["metadata"] == {"labels": {"team": "vision"}}
    assert made["limits"]["maxTrialDuration"] == "3600s"
    (container,) = template["spec"]["containers"]
    assert container["command"] == ["python", "train.py"]
    assert container["resources"] == {"limits": {"nvidia.com/gpu": 4}}
    assert "nodes" not in spec(estimator=training(instance_count=1, instance_type="ml.m5.large"))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Estimator("a", "arn:aws:iam::1:role/x"), "does not take role: .*serviceAccountName"),
        (lambda: training(entry_point="train.py"), "does not take entry_point: no code is uploaded"),
        (lambda: training(colour="red"), "has no argument 'colour'"),
        (lambda: spec(autotune=True), "does not take autotune: ranges and limits are not guessed"),
        (lambda: spec(sagemaker_session=object()), r"write session=tuning_client\.Session"),
        (lambda: HyperparameterTuner(training(), "loss", X).fit("s3://bucket"), "does not take inputs: no data"),
        (lambda: HyperparameterTuner(training(), "loss", X).fit({"train": "s3://b"}), "mount it, as in"),
        (lambda: HyperparameterTuningJobAnalytics("x", sagemaker_session=1), "write session="),
    ],
)
def test_what_has_no_counterpart_says_what_to_write(call: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        call()


def test_an_instance_type_that_is_not_known_asks_for_resources() -> None:
    with pytest.raises(ValueError, match=r"instance_type 'ml\.p9\.48xlarge': .*by resources= of Estimator"):
        training(instance_type="ml.p9.48xlarge")


def test_methods_that_are_not_there_say_what_to_write() -> None:
    tuner = HyperparameterTuner(training(), "loss", X)
    for name in TUNER_METHODS:
        with pytest.raises(AttributeError, match=re.escape(TUNER_METHODS[name])):
            getattr(tuner, name)
    with pytest.raises(AttributeError, match="a single training is a Pod of yours"):
        training().fit()
    with pytest.raises(AttributeError, match=r"has no 'colour'$"):
        _ = tuner.colour


def test_a_tuner_makes_tuners_that_learn_from_it() -> None:
    session = FakeSession(job())
    tuner = HyperparameterTuner(training(), "loss", X, session=cast("Session", session))
    tuner.fit({}, "first", wait=False)
    assert tuner.latest_tuning_job is not None
    assert tuner.latest_tuning_job.job_name == "first"
    same = tuner.identical_dataset_and_algorithm_tuner("older")
    assert same.manifest("x")["spec"]["warmStart"] == {
        "type": "IdenticalDataAndAlgorithm",
        "parents": ["first", "older"],
    }
    other = tuner.transfer_learning_tuner(
        {"older"}, Estimator("example.com/b:2", hyperparameters={"x": 1, "epochs": 2})
    )
    made = other.manifest("x")["spec"]
    assert made["warmStart"]["type"] == "TransferLearning"
    assert made["template"]["spec"]["containers"][0]["image"] == "example.com/b:2"
    assert made["staticParameters"] == {"epochs": "2"}
    assert "warmStart" not in tuner.manifest("x")["spec"]
    assert tuner.hyperparameter_ranges()["ContinuousParameterRanges"][0]["Name"] == "x"


def test_the_analytics_take_arguments_by_position_and_write_a_file(tmp_path: Path) -> None:
    looked = HyperparameterTuningJobAnalytics("resnet", cast("Session", FakeSession(job(), trials=[trial(1)])))
    assert len(looked.dataframe(True)) == 1
    looked.export_csv(str(tmp_path / "trials.csv"))
    assert "resnet-0001" in (tmp_path / "trials.csv").read_text()


ODD = [
    *(np.float64(0.5), np.int64(3), np.array([1, 2]), np.str_("x"), np.bool_(True), math.nan, True, 1.5, -1, 10**30),
    *("text", "3", b"bytes", [], {}, {"a": 1}, ("a",), set(), object(), print),
]


def _tuner(**given: Any) -> object:
    known: dict[str, Any] = {
        "estimator": Estimator("image:1"),
        "objective_metric_name": "m",
        "hyperparameter_ranges": {"lr": ContinuousParameter(0.1, 1)},
    }
    return HyperparameterTuner(**known | given).manifest("j")


def _rendered(item: Any) -> object:
    return item.render()


def _with(name: str) -> Callable[[Any], object]:
    return lambda item: _tuner(**{name: item})


def _fuzzed() -> Iterator[tuple[str, tuple[Callable[..., Any], dict[str, Any], Callable[[Any], object]]]]:
    """Each argument of the public classes: the class, what else it needs, and what is made of it."""
    bounds, resource = {"min_value": 1, "max_value": 9}, {"max_resource": 9, "min_resource": 1}
    parents = {"warm_start_type": "TransferLearning", "parents": {"a"}}
    made: list[tuple[Callable[..., Any], dict[str, Any], Callable[[Any], object]]] = [
        (_tuner, dict.fromkeys(inspect.signature(HyperparameterTuner).parameters.keys() - {"other", "session"}), dict),
        (Estimator, dict.fromkeys(inspect.signature(Estimator).parameters.keys() - {"other"}), _with("estimator")),
        (WarmStartConfig, parents, _with("warm_start_config")),
        (StrategyConfig, {"hyperband_strategy_config": None}, _with("strategy_config")),
        (
            TuningJobCompletionCriteriaConfig,
            dict.fromkeys(inspect.signature(TuningJobCompletionCriteriaConfig).parameters),
            _with("completion_criteria_config"),
        ),
        (ContinuousParameter, bounds | {"scaling_type": "Auto", "step": None}, _rendered),
        (IntegerParameter, bounds | {"scaling_type": "Auto", "step": 1}, _rendered),
        (CategoricalParameter, {"values": []}, _rendered),
        (DiscreteParameter, {"values": []}, _rendered),
        (HyperbandStrategyConfig, resource, _rendered),
    ]
    for of, fields, use in made:
        needed = {name: value for name, value in fields.items() if value is not None}
        needed |= {"image_uri": "image:1"} if of is Estimator else {}
        for name in sorted(fields):
            yield f"{of.__name__}({name}=)", (of, needed, use)


FUZZED = dict(_fuzzed())


@pytest.mark.filterwarnings("ignore:.*is called.*here")
@pytest.mark.parametrize("name", FUZZED)
def test_a_value_of_any_kind_makes_a_manifest_or_an_error_that_names_it(name: str) -> None:
    argument = name.partition("(")[2].removesuffix("=)")
    of, needed, use = FUZZED[name]
    for value in [None, *ODD]:
        try:
            made = use(of(**needed | {argument: value}))
        except (TypeError, ValueError) as error:
            words = str(error)
            assert argument in words or " must be " in words, f"{value!r}: {words}"
            assert "ambiguous" not in words
        else:
            json.dumps(made, allow_nan=False)
