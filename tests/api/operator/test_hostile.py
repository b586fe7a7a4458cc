"""Users and trainers who mean harm: what they do stays with their own jobs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cluster.operators import GROUP, METRIC, job_manifest
from cluster.played_kubelet import NEVER, Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cluster.api import Api
    from cluster.operators import Cluster
    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

# The API server takes 10,000 levels in all; the others are too much for Python in one place or another.
DEPTHS = {
    "deepest": ("[", "]", 9_990),
    "deep": ('{"a":', "}", 1_500),
    "half": ('{"a":', "}", 500),
    "third": ("[", "]", 350),
}


def short(_parameters: Mapping[str, Any], _pod: str) -> Training:
    return Training((0.5, 0.6))


def raw(api: Api, path: str, body: str | None = None) -> str:
    """Send, or read, what neither `json` nor kubectl takes."""
    with api.open(path, body.encode() if body else None, timeout=20) as answer:
        return answer.read().decode()


def test_jobs_that_are_nested_too_deeply_to_be_read_harm_themselves_alone(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(short, "--resync-interval=1", trials=2)
    jobs = f"{GROUP}/namespaces/{lab.namespace}/tuningjobs"
    for name, (before, after, depth) in DEPTHS.items():
        deep = job_manifest(lab.namespace, name)
        deep["spec"]["template"]["spec"]["affinity"] = "here"
        body = json.dumps(deep).replace('"here"', before * depth + "1" + after * depth)
        raw(lab.cluster.api, jobs, body)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 2}))
    lab.cluster.wait_for_phase("Completed", seconds=30)
    lab.operator.restart()

    def reasons() -> dict[str, list[str]]:
        found = {name: raw(lab.cluster.api, f"{jobs}/{name}") for name in DEPTHS}
        return {name: re.findall(r'"completionReason":"(\w+)"', text) for name, text in found.items()}

    expected = {name: ["InvalidTemplate"] for name in DEPTHS}
    wait_until(lambda: reasons() == expected, "they have failed for what they are", 30, reasons)
    assert lab.operator.alive


# Pods that a user made, who may create Pods and read what there is

HONEST = Training((0.5, 0.6))
FORGED = Training((42.0, 42.0))
ENDLESS = replace(HONEST, until=NEVER)
MERGE = "application/merge-patch+json"
CONTAINER: dict[str, Any] = {
    "name": "training",
    "image": "example.invalid/forge",
    "env": [
        {"name": "HYPERPARAMETERS", "value": '{"forged": 1}'},
        {"name": "TUNING_OBJECTIVE_METRIC", "value": METRIC},
    ],
    "resources": {"requests": {"cpu": "1m"}},
}


def honest_unless_forged(parameters: Mapping[str, Any], _pod: str) -> Training:
    return FORGED if "forged" in parameters else HONEST


def plant(cluster: Cluster, name: str, labels: dict[str, str], *owners: dict[str, Any], **metadata: Any) -> str:
    """Create a Pod; returns its uid."""
    known = {"name": name, "labels": labels, "ownerReferences": list(owners), **metadata}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": known, "spec": {"containers": [CONTAINER]}}
    made = cluster.api.call("POST", f"/api/v1/namespaces/{cluster.namespace}/pods", pod)
    return str(made["metadata"]["uid"])


def labels_of(job: str, trial: str) -> dict[str, str]:
    return {
        "tuning-operator.dev/job": job,
        "tuning-operator.dev/trial": trial,
        "app.kubernetes.io/managed-by": "tuning-operator",
    }


def owned_by(body: Mapping[str, Any], kind: str, version: str) -> dict[str, Any]:
    metadata = body["metadata"]
    return {"apiVersion": version, "kind": kind, "name": metadata["name"], "uid": metadata["uid"], "controller": True}


def trials_of(cluster: Cluster, job: str) -> list[dict[str, Any]]:
    return [each for each in cluster.trials() if each["metadata"]["name"].startswith(f"{job}-")]


def alive(cluster: Cluster) -> set[str]:
    return {pod["metadata"]["name"] for pod in cluster.pods() if pod["status"]["phase"] not in {"Succeeded", "Failed"}}


def notes(cluster: Cluster, reason: str) -> list[str]:
    return [event["note"] for event in cluster.events() if event["reason"] == reason]


@pytest.mark.parametrize("controlled", [False, True])
def test_a_pod_with_the_labels_of_a_batch_job_reports_for_nobody(
    start_lab: Callable[..., Lab], controlled: bool
) -> None:
    """One that also names the batch Job as its controller counts with Kubernetes' own controller, which may fail it."""
    lab = start_lab(honest_unless_forged)
    cluster, jobs = lab.cluster, f"/apis/batch/v1/namespaces/{lab.namespace}/jobs"
    cluster.apply(job_manifest(lab.namespace, "victim", nodes=2, limits={"maxTrials": 1, "maxParallelTrials": 1}))
    wait_until(lambda: cluster.api.exists(f"{jobs}/victim-0001-1"), "the batch Job exists")
    body = cluster.api.call("GET", f"{jobs}/victim-0001-1")
    labels = body["spec"]["template"]["metadata"]["labels"] | {"batch.kubernetes.io/job-completion-index": "0"}
    owners = [owned_by(body, "Job", "batch/v1")] if controlled else []
    forged = "victim-0001-1-0-zzzzz"
    index = {"batch.kubernetes.io/job-completion-index": "0"}
    plant(cluster, forged, labels, *owners, annotations=index)
    job = cluster.wait_for_phase("Completed", "Failed", name="victim", seconds=60)
    (trial,) = trials_of(cluster, "victim")
    assert trial["status"].get("reporter") != forged
    objective = job["status"].get("bestTrial", {}).get("objective")
    assert objective in ({"0.6", None} if controlled else {"0.6"})


def test_the_planted_pod_of_a_trial_that_waits_for_quota_is_not_adopted(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(honest_unless_forged, trials=1, attempts=3)
    cluster, quotas = lab.cluster, f"/api/v1/namespaces/{lab.namespace}/resourcequotas"
    hard = {"hard": {"requests.cpu": "1"}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "cpus"}, "spec": hard}
    cluster.api.call("POST", quotas, quota)
    resources = {"requests": {"cpu": "2"}}
    container: dict[str, Any] = {"name": "training", "image": "example.invalid/training", "resources": resources}
    cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 1}, template={"spec": {"containers": [container]}}))
    wait_until(lambda: cluster.condition("QuotaExceeded").get("status") == "True", "the trial waits for quota")
    (trial,) = cluster.trials()
    owner = owned_by(trial, "TuningTrial", "tuning-operator.dev/v1alpha1")
    plant(cluster, "job-0001-1", labels_of("job", "job-0001"), owner)
    wait_until(lambda: "ignored job-0001-1" in cluster.condition("Reconciled").get("message", ""), "it is named", 30)
    cluster.api.call("PATCH", f"{quotas}/cpus", {"spec": {"hard": {"requests.cpu": "9"}}}, kind=MERGE)
    status = cluster.wait_for_phase("Completed")["status"]
    assert status["bestTrial"]["objective"] == "0.6"
    (trial,) = cluster.trials()
    assert trial["status"]["attempt"] == 2
    assert any(
        "Pod job-0001-1 exists, but this operator did not create it" in note for note in notes(cluster, "NameTaken")
    )


def test_labels_without_an_owner_hold_no_slot_and_wedge_nobody(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(honest_unless_forged, job="victim")
    cluster = lab.cluster
    label = {"tuning-operator.dev/job": "victim"}
    plant(cluster, "evil-0001-99", labels_of("victim", "evil-0001"))
    plant(cluster, "evil-some", label | {"batch.kubernetes.io/controller-uid": "x"})
    plant(cluster, "evil-node", label | {"batch.kubernetes.io/job-completion-index": "0"})
    plant(
        cluster,
        "evil-both",
        label | {"batch.kubernetes.io/controller-uid": "x", "batch.kubernetes.io/job-completion-index": "0"},
    )
    for name, nodes in (("victim", 1), ("nodes", 2)):
        limits = {"maxTrials": 1, "maxParallelTrials": 1}
        cluster.apply(job_manifest(lab.namespace, name, limits=limits, nodes=nodes))
    plant(
        cluster,
        "evil-nodes",
        {
            "tuning-operator.dev/job": "nodes",
            "batch.kubernetes.io/controller-uid": "x",
            "batch.kubernetes.io/job-completion-index": "0",
        },
    )
    wait_until(lambda: "evil-0001-99" in cluster.condition("Reconciled", "victim").get("message", ""), "it is named")
    for name in ("victim", "nodes"):
        status = cluster.wait_for_phase("Completed", name=name)["status"]
        assert status["bestTrial"]["objective"] == "0.6"


def test_a_name_that_somebody_took_stops_no_job(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(honest_unless_forged, job="squat", trials=2)
    cluster = lab.cluster
    uid = plant(cluster, "squat-0001-1", {})
    cluster.apply(job_manifest(lab.namespace, "squat", limits={"maxTrials": 2, "maxParallelTrials": 2}))
    assert cluster.wait_for_phase("Completed", name="squat")["status"]["trialCounts"]["completed"] == 2
    assert [trial["status"]["attempt"] for trial in trials_of(cluster, "squat")] == [2, 1]
    (note,) = {note for note in notes(cluster, "NameTaken") if note.startswith("squat-0001: ")}
    assert "delete it (kubectl delete pod squat-0001-1)" in note
    assert uid in {pod["metadata"]["uid"] for pod in cluster.pods()}, "what is not the operator's is left alone"


def test_labels_that_somebody_takes_off_free_no_slots(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(lambda *_: ENDLESS, "--resync-interval=1", trials=6)
    cluster = lab.cluster
    cluster.apply(job_manifest(lab.namespace))
    wait_until(
        lambda: [trial.get("status", {}).get("phase") for trial in cluster.trials()] == ["Running"] * 2, "both run"
    )
    unlabelled = {"metadata": {"labels": {"tuning-operator.dev/job": None}}}
    pods = f"/api/v1/namespaces/{lab.namespace}/pods"
    trials = f"{GROUP}/namespaces/{lab.namespace}/tuningtrials"
    for path in (f"{trials}/job-0001", f"{pods}/job-0001-1", f"{pods}/job-0002-1"):
        cluster.api.call("PATCH", path, unlabelled, kind=MERGE)

    def named() -> bool:
        message = cluster.condition("Reconciled").get("message", "")
        return "TuningTrial job-0001, Pod job-0001-1, Pod job-0002-1" in message

    wait_until(named, "what lost its label is named", 30, lambda: cluster.condition("Reconciled"))
    lab.operator.restart()
    cluster.patch_job({"spec": {"limits": {"maxTrials": 7}}})
    generation = cluster.job()["metadata"]["generation"]
    wait_until(lambda: cluster.job()["status"]["observedGeneration"] == generation, "it is looked at once more", 30)
    wait_until(named, "they are found once more", 30, lambda: cluster.condition("Reconciled"))
    assert alive(cluster) == {"job-0001-1", "job-0002-1"}
    assert lab.kubelet.most_alive == 2
    assert cluster.job()["status"]["trialCounts"]["running"] == 2
