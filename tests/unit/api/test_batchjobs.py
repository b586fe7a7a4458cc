from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.api.manifests import pod_body
from tests.unit.builders import job, trial
from tuning_operator.api.batchjobs import build_batch_job, build_service, parse_batch_jobs
from tuning_operator.api.podfacts import parse_pod
from tuning_operator.api.pods import build_pod
from tuning_operator.core.model.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tuning_operator.core.model.attempt import Attempt

JOB = job(nodes=2)
TEMPLATE = {
    "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "team"}, "annotations": {"note": "mine"}},
    "spec": {"containers": [{"name": "train", "image": "x"}, {"name": "other", "image": "y"}]},
}
CREATED = "2026-05-04T12:00:00Z"
METRIC = "validation:accuracy"


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
    told = {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in training["env"]}
    assert pod["subdomain"] == service["metadata"]["name"] == "nodes-job"
    assert told["MASTER_ADDR"] == "job-0003-1-0.nodes-job"
    index = {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}
    for prefix in ("", "PET_"):
        assert (told[f"{prefix}NNODES"], told[f"{prefix}NODE_RANK"]) == ("2", index)
        assert (told[f"{prefix}MASTER_ADDR"], told[f"{prefix}MASTER_PORT"]) == ("job-0003-1-0.nodes-job", "29500")
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
    with pytest.raises(ValueError, match=f"spec.template.spec.{field}: with spec.nodes"):
        built(template)
    assert build_pod(job(), template, trial(3))["spec"][field] == "mine"


def test_the_longest_names_are_host_names() -> None:
    longest = Trial("a" * 40 + "-1000", 1000, {"lr": 0.1}, seed=1)
    name = build_pod(JOB, TEMPLATE, longest)["metadata"]["name"].replace("-1000-1", "-1000-999999999")
    assert len(f"{name}-63") <= 63


# Reading


def batch_job(uid: str = "batch-uid", owner: str = "trial-uid-1", kind: str = "TuningTrial", **more: Any) -> Any:
    reference = {"kind": kind, "name": "job-0001", "uid": owner}
    metadata = {"name": "job-0001-2", "uid": uid, "creationTimestamp": CREATED, "ownerReferences": [reference]}
    return {"metadata": metadata | more.pop("metadata", {}), "spec": {"completions": 2} | more, "status": {}}


def node(number: int, status: dict[str, Any] | None = None, uid: str = "batch-uid") -> Any:
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": "job-0001-2",
        "batch.kubernetes.io/job-completion-index": str(number),
    }
    name = f"job-0001-2-{number}-abcde"
    return pod_body(status or {"phase": "Pending"}, name=name, uid=f"uid-{number}", labels=labels)


def read(jobs: list[Any], pods: list[Any], **recorded: Any) -> dict[str, tuple[Attempt, ...]]:
    def parse(body: Mapping[str, Any], number: int) -> Attempt:
        return parse_pod(body, number, "train", METRIC)

    return parse_batch_jobs(jobs, pods, [trial(1, **recorded)], parse)


def test_an_attempt_is_its_batch_job_and_its_pods() -> None:
    ((found,),) = read([batch_job()], [node(1), node(0)]).values()
    assert (found.name, found.uid, found.number, found.missing) == ("job-0001-2", "batch-uid", 2, 0)
    assert (found.reporter, found.ended, found.exit) == ("job-0001-2-0-abcde", False, None)


@pytest.mark.parametrize(
    ("conditions", "ended", "disrupted"),
    [
        ([], False, False),
        ([{"type": "Suspended", "status": "True"}], False, False),
        ([{"type": "Complete", "status": "True"}], True, False),
        ([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}], True, True),
        ([{"type": "FailureTarget", "status": "True", "reason": "PodFailurePolicy", "message": "evicted"}], True, True),
        ([{"type": "Failed", "status": "False"}], False, False),
    ],
)
def test_what_the_conditions_of_a_batch_job_without_pods_mean(
    conditions: list[Any], ended: bool, disrupted: bool
) -> None:
    body = batch_job()
    body["status"] = {"conditions": conditions}
    ((found,),) = read([body], []).values()
    assert (found.ended, bool(found.disruption)) == (ended, disrupted)


def test_an_earlier_trial_of_the_same_name_holds_its_place_and_is_not_taken_for_this_one() -> None:
    assert list(read([batch_job(owner="old-uid")], [node(0)])) == ["batch-uid"]


def test_what_no_trial_owns_is_none_of_its_attempts() -> None:
    assert read([batch_job(kind="CronJob")], [node(0)]) == {}
    assert read([batch_job(metadata={"name": "job-0001-x"})], [node(0)]) == {}
    assert read([], [pod_body({"phase": "Running"})]) == {}


def test_pods_outlive_a_batch_job_that_somebody_deleted() -> None:
    ((owner, (found,)),) = read([], [node(1)], attempt_uid="batch-uid").items()
    assert (owner, found.name, found.number) == ("job-0001", "job-0001-2", 2)
    assert (found.deleting, found.ended, bool(found.disruption)) == (True, False, True)
    assert list(read([], [node(1)])) == ["batch-uid"]
