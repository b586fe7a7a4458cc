from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.unit.builders import job, trial
from tuning_operator.api.batchjobs import build_batch_job, build_service, node_of
from tuning_operator.api.pods import build_pod
from tuning_operator.core.model.trial import Trial

JOB = job(nodes=2)
TEMPLATE = {
    "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "team"}, "annotations": {"note": "mine"}},
    "spec": {"containers": [{"name": "train", "image": "x"}, {"name": "other", "image": "y"}]},
}


def built(template: dict[str, Any] = TEMPLATE) -> dict[str, Any]:
    return build_batch_job(JOB, build_pod(JOB, template, trial(3)))


def test_the_nodes_are_made_and_ended_together() -> None:
    made = built()
    assert (made["apiVersion"], made["kind"], made["metadata"]["name"]) == ("batch/v1", "Job", "job-0003-1")
    spec = made["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 2, 2)
    assert (spec["backoffLimit"], spec["podReplacementPolicy"]) == (0, "Failed")
    assert spec["podFailurePolicy"]["rules"][0]["action"] == "FailJob"
    assert made["metadata"]["ownerReferences"][0]["name"] == "job-0003"
    assert "ownerReferences" not in spec["template"]["metadata"]


def test_labels_and_annotations_are_where_queues_and_metrics_are_looked_for() -> None:
    made = built()
    for metadata in (made["metadata"], made["spec"]["template"]["metadata"]):
        assert metadata["labels"]["kueue.x-k8s.io/queue-name"] == "team"
        assert metadata["labels"]["tuning-operator.dev/trial"] == "job-0003"
        assert metadata["annotations"]["note"] == "mine"


def test_the_training_is_told_where_the_first_node_is_and_which_one_it_is() -> None:
    service = build_service(JOB)
    pod = built()["spec"]["template"]["spec"]
    training, other = pod["containers"]
    variables = {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in training["env"]}
    assert pod["subdomain"] == service["metadata"]["name"] == "nodes-job"
    assert variables["MASTER_ADDR"] == "job-0003-1-0.nodes-job"
    index = {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}
    for prefix in ("", "PET_"):
        assert (variables[f"{prefix}NNODES"], variables[f"{prefix}NODE_RANK"]) == ("2", index)
        assert (variables[f"{prefix}MASTER_ADDR"], variables[f"{prefix}MASTER_PORT"]) == (
            "job-0003-1-0.nodes-job",
            "29500",
        )
    assert "env" not in other


def test_a_single_pod_is_told_nothing_of_nodes() -> None:
    pod = build_pod(job(), TEMPLATE, trial(3))
    assert "subdomain" not in pod["spec"]
    assert "NNODES" not in json.dumps(pod)


def test_the_service_is_found_before_its_pods_are_ready() -> None:
    service = build_service(JOB)
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    assert service["spec"]["selector"].items() <= built()["spec"]["template"]["metadata"]["labels"].items()
    assert service["metadata"]["ownerReferences"][0]["uid"] == "job-uid"


@pytest.mark.parametrize("field", ["hostname", "subdomain"])
def test_a_template_that_names_its_host_is_refused(field: str) -> None:
    template = copy.deepcopy(TEMPLATE)
    template["spec"] |= {field: "mine"}  # type: ignore[operator]
    with pytest.raises(ValueError, match=f"spec.template.spec.{field}: remove it: with spec.nodes"):
        built(template)
    assert build_pod(job(), template, trial(3))["spec"][field] == "mine"


def test_the_longest_names_are_host_names() -> None:
    longest = Trial("a" * 40 + "-1000", 1000, {"lr": 0.1}, seed=1)
    name = build_pod(JOB, TEMPLATE, longest)["metadata"]["name"].replace("-1000-1", "-1000-999999999")
    assert len(f"{name}-63") <= 63


@pytest.mark.parametrize(
    ("name", "labels", "node"),
    [
        ("job-0001-1-0-abcde", {"batch.kubernetes.io/job-completion-index": "0"}, 0),
        ("job-0001-1-12-abcde", {"batch.kubernetes.io/job-completion-index": "12"}, 12),
        ("job-0001-1-1-abcde", {"batch.kubernetes.io/job-completion-index": "0"}, None),
        ("evil", {"batch.kubernetes.io/job-completion-index": "0"}, None),
        ("job-0001-1-0-abcde", {"batch.kubernetes.io/job-completion-index": "00"}, None),
        ("job-0001-1-x-abcde", {"batch.kubernetes.io/job-completion-index": "x"}, None),
        ("job-0001-1-0-abcde", {}, None),
        ("job-0001-1-0-abcde", None, None),
    ],
)
def test_which_node_a_pod_is_follows_from_its_name_and_its_label(
    name: str, labels: dict[str, str] | None, node: int | None
) -> None:
    assert node_of({"metadata": {"name": name, "labels": labels}}, "job-0001-1") == node
