"""Trials of several nodes: the Job controller is the real one; the kubelet, and what befalls the nodes, are played."""

from __future__ import annotations

import re
import urllib.error
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from cluster.operators import job_manifest
from cluster.played_kubelet import NEVER, Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cluster.operators import Cluster
    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

GOOD = Training((0.1, 0.2, 0.3))
ENDLESS = replace(GOOD, until=NEVER)
MUTE = replace(GOOD, values=(0.9,), leaves_message=False, until=None)
CRASH = replace(GOOD, values=(), exit_code=3, message="CUDA error")
LIMITS = {"maxTrials": 1, "maxParallelTrials": 1}
MERGE = "application/merge-patch+json"


def trains(_parameters: Mapping[str, Any], pod: str) -> Training:
    """In the first attempts something happens to the second node; the first one waits for it, as nodes do."""
    job, attempt, node = re.fullmatch(r"(.+)-0001-([0-9]+)-([01])-[a-z0-9]{5}", pod).groups()  # type: ignore[union-attr]
    if job == "stops" or (attempt == "1" and job in {"loses", "yields"}):
        return ENDLESS
    if attempt == "1" and job == "fails":
        return CRASH if node == "1" else ENDLESS
    return GOOD if node == "0" else MUTE


def several(lab: Lab, name: str, **spec: Any) -> None:
    lab.cluster.apply(job_manifest(lab.namespace, name, **{"nodes": 2, "limits": LIMITS, **spec}))


def batch_jobs(cluster: Cluster) -> dict[str, bool]:
    """The batch Jobs, and whether their controller has ended them."""
    jobs = cluster.api.call("GET", f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs")["items"]
    return {
        item["metadata"]["name"]: any(
            each["type"] in {"Complete", "Failed"} and each["status"] == "True"
            for each in item["status"].get("conditions") or ()
        )
        for item in jobs
    }


def is_tidy(jobs: Mapping[str, bool]) -> bool:
    """Whether nothing runs on, and what has ended by itself is kept.

    A first attempt that was cut short is ended by its controller, or deleted, whoever sees first what befell a node.
    """
    return all(jobs.values()) and {"fails-0001-2", "loses-0001-2", "yields-0001-2"} <= set(jobs)


def services(cluster: Cluster) -> list[str]:
    found = cluster.api.call("GET", f"/api/v1/namespaces/{cluster.namespace}/services")["items"]
    return sorted(item["metadata"]["name"] for item in found)


def pods_of(cluster: Cluster, prefix: str) -> list[dict[str, Any]]:
    return [pod for pod in cluster.pods() if pod["metadata"]["name"].startswith(prefix)]


def holds_a_gpu(pod: dict[str, Any]) -> bool:
    """Whether a container of it may still run; a Pod that has ended stays for a moment until it is deleted."""
    return (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}


def trial_of(cluster: Cluster, job: str) -> dict[str, Any]:
    return next((each.get("status", {}) for each in cluster.trials() if each["metadata"]["name"] == f"{job}-0001"), {})


def wait_until_running(cluster: Cluster, job: str) -> None:
    wait_until(lambda: trial_of(cluster, job).get("phase") == "Running", f"both nodes of {job} run")


def test_what_befalls_a_node_befalls_the_attempt(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(trains)
    cluster = lab.cluster
    for name in ("fails", "loses", "yields", "stops"):
        several(lab, name, retry={"maxAttempts": 2})

    wait_until_running(cluster, "loses")
    path = f"/api/v1/namespaces/{lab.namespace}/pods"
    cluster.api.call("DELETE", f"{path}/{pods_of(cluster, 'loses-0001-1-1')[0]['metadata']['name']}")
    wait_until_running(cluster, "yields")
    suspended = {"spec": {"suspend": True}}
    cluster.api.call("PATCH", f"/apis/batch/v1/namespaces/{lab.namespace}/jobs/yields-0001-1", suspended, kind=MERGE)
    wait_until_running(cluster, "stops")
    reporter = trial_of(cluster, "stops")["reporter"]
    assert reporter == pods_of(cluster, "stops-0001-1-0")[0]["metadata"]["name"]
    lab.prometheus.set_targets([lab.kubelet.target(reporter)])
    wait_until(lambda: trial_of(cluster, "stops").get("epochs") == 3, "the first node's page is read")
    cluster.patch_job({"spec": {"stop": True}}, "stops")

    for name in ("fails", "loses", "yields"):
        cluster.wait_for_phase("Completed", name=name)
        assert trial_of(cluster, name)["objective"] == "0.3", "the first node reports, by its termination message"
    assert cluster.wait_for_phase("Stopped", name="stops")["status"]["trialCounts"]["stopped"] == 1
    assert [pod["metadata"]["name"] for pod in pods_of(cluster, "stops-") if holds_a_gpu(pod)] == []
    wait_until(lambda: pods_of(cluster, "stops-") == [], "the Pods, whose containers have ended, are deleted")
    wait_until(
        lambda: is_tidy(batch_jobs(cluster)),
        "what was cut short is over, and what has ended by itself is kept",
        describe=lambda: batch_jobs(cluster),
    )
    counted = {name: trial_of(cluster, name) for name in ("fails", "loses", "yields")}
    assert {name: (each["attempt"], each.get("failures", 0)) for name, each in counted.items()} == {
        "fails": (2, 1),
        "loses": (2, 0),
        "yields": (2, 0),
    }
    wait_until(
        lambda: any("node 1 (Pod fails-0001-1-1-" in note and "code 3" in note for note in notes(cluster)),
        "an Event names the node that failed",
        describe=lambda: notes(cluster),
    )

    for name in ("fails", "loses", "yields", "stops"):
        cluster.delete_job(name)
    wait_until(lambda: not (batch_jobs(cluster) or services(cluster) or cluster.pods()), "everything goes with the job")


def notes(cluster: Cluster) -> list[str]:
    return [event["note"] for event in cluster.events()]


def is_full(lab: Lab) -> bool:
    """Whether the API server would refuse a Pod."""
    pod: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}}
    pod["spec"] = {"containers": [{"name": "probe", "image": "example.invalid/probe"}]}
    try:
        lab.cluster.api.call("POST", f"/api/v1/namespaces/{lab.namespace}/pods?dryRun=All", pod)
    except urllib.error.HTTPError as error:
        return error.code == HTTPStatus.FORBIDDEN
    return False


def test_pods_that_the_job_controller_may_not_make(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(trains)
    quotas = f"/api/v1/namespaces/{lab.namespace}/resourcequotas"
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    lab.cluster.api.call("POST", quotas, quota)
    wait_until(lambda: is_full(lab), "the quota counts")
    several(lab, "waits")
    condition = wait_until(
        lambda: (found := lab.cluster.condition("QuotaExceeded", "waits")).get("status") == "True" and found,
        "the quota is reported",
    )
    assert "exceeded quota: none" in condition["message"]
    status = trial_of(lab.cluster, "waits")
    assert (status["phase"], status["message"]) == ("Pending", "0 of 2 Pods exist")
    lab.cluster.api.call("PATCH", f"{quotas}/none", {"spec": {"hard": {"pods": "2"}}}, kind=MERGE)
    assert lab.cluster.wait_for_phase("Completed", name="waits")["status"]["bestTrial"]["objective"] == "0.3"
    assert lab.cluster.condition("QuotaExceeded", "waits")["status"] == "False"
    assert trial_of(lab.cluster, "waits")["attempt"] == 1
