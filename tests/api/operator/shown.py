"""What each example is there to show: looked at when its job runs, or has ended."""

from __future__ import annotations

import itertools
import re
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cluster.operators import Cluster
    from cluster.played_kubelet import Kubelet


MOST_TRIALS = 12
JOB_LABEL = "tuning-operator.dev/job"
MOUNT = "checkpoints"
GATE = "kueue.x-k8s.io/admission"
MERGE = "application/merge-patch+json"
OUTRANKED = (1, 3, 5)
"""Trials that Hyperband stops at epoch 1, whoever comes there first: its first bracket has two better ones, 6 and 8."""
EVICTED = threading.Event()
"""Until then the training of the example that resumes does not end, however late its test begins."""


@dataclass(frozen=True)
class Lab:
    """One operator for the jobs of all examples, which are in one namespace."""

    cluster: Cluster
    kubelet: Kubelet

    def end(self, job: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The status of a job that has completed, and those of its trials with their parameters."""
        status = self.cluster.wait_for_phase("Completed", name=job)["status"]
        trials = [trial for trial in self.cluster.trials() if trial["metadata"]["labels"][JOB_LABEL] == job]
        return status, [{"parameters": trial["spec"]["parameters"], **trial["status"]} for trial in trials]

    def pods(self, job: str) -> dict[str, dict[str, Any]]:
        pods = self.cluster.pods()
        return {pod["metadata"]["name"]: pod for pod in pods if pod["metadata"]["labels"].get(JOB_LABEL) == job}

    def pod_path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.cluster.namespace}/pods/{name}"


def steps_of(lab: Lab, job: str) -> None:
    """Every point of the grid once, and no more."""
    status, trials = lab.end(job)
    assert (status["completionReason"], status["progress"]) == ("SpaceExhausted", "12/12")
    assert status["suggestion"] == {"trial": 12, "source": "Grid", "message": "point 12 of 12 of the grid"}
    points = itertools.product(("16", "32"), ("sgd", "adam"), ("0.001", "0.01", "0.1"))
    names = ("mini_batch_size", "optimizer", "learning_rate")
    assert Counter(tuple(trial["parameters"][name] for name in names) for trial in trials) == Counter(points)


def rungs_of(lab: Lab, job: str) -> None:
    """Some are stopped at a rung, the best of all by nobody."""
    status, trials = lab.end(job)
    stopped = {number: trial for number, trial in enumerate(trials, 1) if trial["phase"] == "EarlyStopped"}
    assert set(OUTRANKED) <= set(stopped) <= {*OUTRANKED, 6}, "6 only where it met 8 and one other"
    assert len(stopped) == status["trialCounts"]["earlyStopped"]
    assert {trial["stopDecision"]["reason"] for trial in stopped.values()} == {"BelowRung"}
    assert all("at epoch 1 (bracket 1 of 4)" in stopped[number]["stopDecision"]["message"] for number in OUTRANKED)
    assert status["bestTrial"]["name"] == f"{job}-0009"


def stops_of(lab: Lab, job: str) -> None:
    """Trials that are behind are stopped, and say why."""
    status, trials = lab.end(job)
    assert [trial["phase"] for trial in trials] == ["Completed"] * 3 + ["EarlyStopped"] * 2
    assert status["earlyStopping"]["stopped"] == 2
    assert all(float(trial["stopDecision"]["value"]) < 0.9 for trial in trials[3:])


def end_of(lab: Lab, job: str) -> None:
    """Without improvement it ends; what trains may finish, Pods go at once, and the rest when it is time."""
    status, trials = lab.end(job)
    assert status["completionReason"] == "NoImprovement"
    assert 4 <= len(trials) < MOST_TRIALS
    assert (trials[1]["phase"], trials[1]["epochs"]) == ("Completed", 10)
    wait_until(lambda: not lab.pods(job), "all Pods are deleted")
    lab.cluster.patch_job({"spec": {"ttlSecondsAfterFinished": 1}}, job)
    wait_until(lambda: job not in {item["metadata"]["name"] for item in lab.cluster.jobs()}, "the job is deleted")


def gauges_of(lab: Lab, job: str) -> None:
    """Curves come from plain gauges, joined by the time of their samples."""
    _, trials = lab.end(job)
    assert [trial["curve"] for trial in trials] == [{"epochs": [1, 2, 3], "values": ["0.1", "0.2", "0.3"]}] * 2


def log_of(lab: Lab, job: str) -> None:
    """The sidecar that reads the log stands in for the training's own report."""
    _, trials = lab.end(job)
    assert [trial["curve"]["epochs"] for trial in trials] == [[1, 2, 3]] * 2
    for pod in lab.pods(job).values():
        assert [item["name"] for item in pod["spec"]["initContainers"]] == ["tuning-metrics"]


def brought_of(lab: Lab, job: str) -> None:
    """An init container brings the package to where PYTHONPATH finds it."""
    _, trials = lab.end(job)
    assert [trial["phase"] for trial in trials] == ["Completed"] * 2
    for pod in lab.pods(job).values():
        (brings,), (training,) = pod["spec"]["initContainers"], pod["spec"]["containers"]
        (path,) = (item["value"] for item in training["env"] if item["name"] == "PYTHONPATH")
        mounts = {item["name"]: item["mountPath"] for item in training["volumeMounts"]}
        assert path.startswith(f"{mounts['tuning']}/")
        assert brings["volumeMounts"][0] == {"name": "tuning", "mountPath": brings["command"][-1]}


def checkpoints_of(lab: Lab, job: str) -> None:
    """A second attempt has the folder of the first one."""
    first, second = f"{job}-0001-1", f"{job}-0001-2"
    wait_until(
        lambda: any(run.name == first and run.epochs() >= 1 for run in lab.kubelet.runs.values()),
        "it trains",
        describe=lambda: lab.cluster.job(job).get("status"),
    )
    before = folder(lab.pods(job)[first])
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": first}}
    lab.cluster.api.call("POST", f"{lab.pod_path(first)}/eviction", eviction)
    wait_until(lambda: second in lab.pods(job), "the second attempt begins")
    EVICTED.set()  # not before: a kubelet that has not seen the eviction yet would let the first attempt complete
    _, (trial,) = lab.end(job)
    assert (trial["attempt"], trial["disruptions"], trial["failures"]) == (2, 1, 0)
    assert folder(lab.pods(job)[second]) == before
    claim, path = before
    assert claim == "checkpoints"
    assert re.fullmatch(rf"/checkpoints/{job}-0001-[0-9a-f]{{8}}", path)


def folder(pod: Mapping[str, Any]) -> tuple[str, str]:
    """Claim and folder of where a Pod keeps its checkpoints."""
    (claim,) = (item["persistentVolumeClaim"]["claimName"] for item in pod["spec"]["volumes"] if item["name"] == MOUNT)
    (container,) = pod["spec"]["containers"]
    environment = {item["name"]: item.get("value") for item in container["env"]}
    return claim, environment["TUNING_CHECKPOINT_DIR"]


def queue_of(lab: Lab, job: str) -> None:
    """Pods wait at the gate of the queue that their label names, and train when they are admitted."""
    wait_until(lambda: len(lab.pods(job)) == 2, "two Pods wait")
    for pod in lab.pods(job).values():
        assert pod["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
        assert pod["spec"]["schedulingGates"] == [{"name": GATE}]
    counts = lab.cluster.job(job)["status"]["trialCounts"]
    assert (counts["running"], counts["failed"]) == (0, 0)
    for name in lab.pods(job):
        lab.cluster.api.call("PATCH", lab.pod_path(name), {"spec": {"schedulingGates": None}}, kind=MERGE)
    _, trials = lab.end(job)
    assert [(trial["phase"], trial["attempt"], trial["disruptions"]) for trial in trials] == [("Completed", 1, 0)] * 2


def first_of(lab: Lab, job: str) -> None:
    """It asks for nothing that a fresh cluster lacks: no GPU, no volume, no account, no image of somebody else's."""
    _, trials = lab.end(job)
    assert [trial["phase"] for trial in trials] == ["Completed"] * 2
    for pod in lab.pods(job).values():
        (container,) = pod["spec"]["containers"]
        assert container["image"].startswith("localhost/tuning-operator/")
        assert set(container["resources"]["limits"]) == {"memory"}
        assert pod["spec"].get("volumes", []) == []
        assert "initContainers" not in pod["spec"]


def nodes_of(lab: Lab, job: str) -> None:
    """Each trial has its Pods, which know who they are and where the first one is; that one reports."""
    _, trials = lab.end(job)
    assert [(trial["phase"], trial["objective"]) for trial in trials] == [("Completed", "0.3")] * 2
    assert {node_of(pod) for pod in lab.pods(job).values()} == {
        (f"{job}-000{trial}-1", rank, "2", f"{job}-000{trial}-1-0.nodes-{job}") for trial in (1, 2) for rank in "01"
    }


def node_of(pod: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Batch Job, rank, number of nodes and the first one's address, as a Pod of several nodes has them."""
    environment = {item["name"]: item.get("value") for item in pod["spec"]["containers"][0]["env"]}
    labels = pod["metadata"]["labels"]
    rank = labels["batch.kubernetes.io/job-completion-index"]
    return labels["batch.kubernetes.io/job-name"], rank, environment["NNODES"], environment["MASTER_ADDR"]


def start_of(lab: Lab, job: str) -> None:
    """It waits for the job of another example, and the model starts from that one's trials as well."""
    status, trials = lab.end(job)
    parent = lab.cluster.job("fashion-mnist-hyperband")["status"]
    assert parent["completionTime"] <= status["startTime"]
    condition = lab.cluster.condition("ParentsReady", job)
    assert (condition["status"], condition["reason"]) == ("True", "ParentsRead")
    assert "of the 9 trials of fashion-mnist-hyperband" in condition["message"]
    assert len(trials) == 3
    assert status["suggestion"]["source"] == "Model"
    assert " of related jobs (correlation with this one: " in status["suggestion"]["message"]
    assert "overallBestTrial" not in status
