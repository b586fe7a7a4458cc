from __future__ import annotations

from typing import Any

import pytest

from tests.unit.api.manifests import job_body
from tuning_operator.api.fields import InvalidJobError
from tuning_operator.api.gpus import gpus_of
from tuning_operator.api.job import parse_job
from tuning_operator.core.model.spec import Cost


def pod(*containers: Any, **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), **spec}}


def asking(amount: Any, resource: str = "nvidia.com/gpu", kind: str = "limits", **more: Any) -> dict[str, Any]:
    return {"name": "c", "resources": {kind: {resource: amount, "cpu": "4"}}, **more}


@pytest.mark.parametrize(
    ("template", "gpus"),
    [
        (pod({"name": "c"}), 0),
        (pod(asking(2)), 2),
        (pod(asking("2", kind="requests")), 2),
        (pod({"name": "c", "resources": {"limits": {"nvidia.com/gpu": 2}, "requests": {"nvidia.com/gpu": 2}}}), 2),
        (pod(asking(1), asking(3, "amd.com/gpu")), 4),
        (pod(asking(1, "nvidia.com/mig-1g.10gb")), 1),
        (pod(asking(1, "gpu.intel.com/xe")), 1),
        (pod(asking(8, "aliyun.com/gpu-mem")), 0),
        (pod(asking(8, "vendor.com/nic")), 0),
        (pod(asking(1), initContainers=[asking(4)]), 4),
        (pod(asking(4), initContainers=[asking(1), asking(2)]), 4),
        (pod(asking(4), initContainers=[asking(1, restartPolicy="Always")]), 5),
        (pod(asking(1), resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": "one"}]), None),
        (pod(asking("many")), 0),
        (pod(asking("9" * 400)), 0),
        (pod("x", {"resources": []}, {"resources": {"limits": "x"}}), 0),
        ({"spec": {"containers": "x", "initContainers": 7}}, 0),
        ({"spec": None}, 0),
        ({}, 0),
    ],
)
def test_the_gpus_of_a_template(template: dict[str, Any], gpus: int | None) -> None:
    assert gpus_of(template) == gpus


CLAIM = pod({"name": "c"}, resourceClaims=[{"name": "gpu"}])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"limits": {"maxTrials": 3, "maxGPUHours": 1}}, "maxGPUHours needs .* requests no GPU: request one, such as"),
        ({"limits": {"maxTrials": 3, "maxGPUHours": 1}}, "or use limits.maxTrainingTime$"),
        ({"cost": {"pricePerGPUHour": 1}}, "spec.cost.pricePerGPUHour needs .*set spec.cost.gpusPerPod$"),
        ({"cost": {"pricePerGPUHour": 1}, "template": CLAIM}, "claims devices.*: set spec.cost.gpusPerPod"),
        ({"limits": {"maxTrials": 3, "maxTrainingTime": "1d"}}, "spec.limits.maxTrainingTime"),
    ],
)
def test_a_budget_without_what_it_counts_is_refused_with_a_remedy(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJobError, match=words):
        parse_job(job_body(**spec))


def test_the_users_number_of_gpus_counts_before_the_templates() -> None:
    cost = {"gpusPerPod": 0.5, "pricePerGPUHour": 2, "currency": "EUR"}
    limits = {"maxTrials": 3, "maxGPUHours": 10, "maxTrainingTime": "90m"}
    spec = parse_job(job_body(cost=cost, limits=limits, template=CLAIM)).job.spec
    assert spec.cost == Cost(0.5, 2, "EUR")
    assert spec.limits.max_gpu_hours == 10
    assert spec.limits.max_training_time is not None
    assert spec.limits.max_training_time.total_seconds() == 5400
    assert parse_job(job_body(template=pod(asking(2)))).job.spec.cost == Cost(2.0)
