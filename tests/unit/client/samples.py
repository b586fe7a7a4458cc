"""Small documents to convert, and what became of them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tests.unit.client.documents import load

if TYPE_CHECKING:
    from tuning_client.convert import Converted


def sagemaker(**definition: Any) -> dict[str, Any]:
    """A small request, with these fields of its TrainingJobDefinition."""
    return {
        "HyperParameterTuningJobName": "small",
        "HyperParameterTuningJobConfig": {
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 4, "MaxParallelTrainingJobs": 2},
            "ParameterRanges": {
                "ContinuousParameterRanges": [{"Name": "lr", "MinValue": "0.001", "MaxValue": "0.1"}],
                "CategoricalParameterRanges": [{"Name": "optimizer", "Values": ["sgd", "adam"]}],
            },
        },
        "TrainingJobDefinition": {"AlgorithmSpecification": {"TrainingImage": "example.com/a:1"}, **definition},
    }


def katib(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A small Experiment, with these fields of its training container and its spec."""
    document = copy.deepcopy(load("katib-file-metrics-collector.yaml"))
    del document["spec"]["metricsCollectorSpec"]
    training(document).update(container or {})
    document["spec"].update(spec)
    return document


def training(document: dict[str, Any]) -> dict[str, Any]:
    trial = document["spec"]["trialTemplate"]["trialSpec"]["spec"]
    found: dict[str, Any] = trial["template"]["spec"]["containers"][0]
    return found


def made(result: Converted) -> dict[str, Any]:
    (job,) = result.jobs
    found: dict[str, Any] = job["spec"]
    return found


def container_of(result: Converted) -> dict[str, Any]:
    found: dict[str, Any] = made(result)["template"]["spec"]["containers"][0]
    return found
