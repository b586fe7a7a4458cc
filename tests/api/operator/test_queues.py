"""A queueing controller such as Kueue, played on a real API server: it gates Pods, admits and preempts them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cluster.operators import job_manifest
from cluster.played_kubelet import NEVER, Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

GATE = "kueue.x-k8s.io/admission"
MERGE = "application/merge-patch+json"


def steady(_parameters: Mapping[str, Any], pod: str) -> Training:
    """The first Pod does not end by itself: it is there to be preempted."""
    return Training((0.5,) * 10, epoch_seconds=0.2, until=NEVER if pod == "job-0001-1" else None)


class Queue:
    """What Kueue does to plain Pods (https://kueue.sigs.k8s.io/docs/tasks/run/plain_pods/), by the test's command."""

    def __init__(self, lab: Lab) -> None:
        self._api = lab.cluster.api
        self._pods = f"/api/v1/namespaces/{lab.namespace}/pods"

    def pod(self, name: str) -> dict[str, Any] | None:
        path = f"{self._pods}/{name}"
        return self._api.call("GET", path) if self._api.exists(path) else None

    def admit(self, name: str) -> None:
        wait_until(lambda: self.pod(name), f"Pod {name} waits in the queue")
        admitted = {"spec": {"schedulingGates": None, "nodeSelector": {"pool": "gpu", "flavor": "h100"}}}
        self._api.call("PATCH", f"{self._pods}/{name}", admitted, kind=MERGE)

    def keep(self, name: str) -> None:
        """Put the finalizer on a Pod by which Kueue keeps it until it has counted it."""
        held = {"metadata": {"finalizers": ["kueue.x-k8s.io/managed"]}}
        self._api.call("PATCH", f"{self._pods}/{name}", held, kind=MERGE)

    def let_go(self, name: str) -> None:
        self._api.call("PATCH", f"{self._pods}/{name}", {"metadata": {"finalizers": None}}, kind=MERGE)

    def preempt(self, name: str) -> None:
        preempted = {"type": "TerminationTarget", "status": "True", "reason": "WorkloadEvictedDueToPreempted"}
        strategic = "application/strategic-merge-patch+json"
        self._api.call("PATCH", f"{self._pods}/{name}/status", {"status": {"conditions": [preempted]}}, kind=strategic)
        self._api.call("DELETE", f"{self._pods}/{name}")


@pytest.fixture
def queued(start_lab: Callable[..., Lab]) -> tuple[Lab, Queue]:
    """A job of two trials, one at a time, whose template names a queue and none of whose failures is forgiven."""
    lab = start_lab(steady, attempts=3)
    priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "low"}, "value": 7}
    if not lab.cluster.api.exists("/apis/scheduling.k8s.io/v1/priorityclasses/low"):
        lab.cluster.api.call("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", priority)
    template = {
        "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "team-a", "team": "vision"}},
        "spec": {
            "priorityClassName": "low",
            "schedulingGates": [{"name": GATE}],
            "nodeSelector": {"pool": "gpu"},
            "containers": [{"name": "training", "image": "example.invalid/training"}],
        },
    }
    limits = {"maxTrials": 2, "maxParallelTrials": 1, "maxFailedTrials": 1}
    lab.cluster.apply(job_manifest(lab.namespace, limits=limits, template=template))
    return lab, Queue(lab)


def test_what_a_queue_goes_by_reaches_the_pods_unchanged(queued: tuple[Lab, Queue]) -> None:
    lab, queue = queued
    pod = wait_until(lambda: queue.pod("job-0001-1"), "the first Pod waits in the queue")
    assert pod["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert pod["metadata"]["labels"]["team"] == "vision"
    assert (pod["spec"]["priorityClassName"], pod["spec"]["priority"]) == ("low", 7)
    assert pod["spec"]["schedulingGates"] == [{"name": GATE}]
    assert pod["spec"]["nodeSelector"] == {"pool": "gpu"}
    wait_until(lambda: lab.cluster.condition("Reconciled"), "the operator has seen it")
    assert lab.cluster.trials()[0].get("status", {}).get("phase", "Pending") == "Pending"
    assert len(lab.cluster.pods()) == 1, "a Pod in the queue holds its place"


def test_a_preempted_trial_goes_back_to_the_queue_and_has_failed_in_nothing(queued: tuple[Lab, Queue]) -> None:
    lab, queue = queued
    queue.admit("job-0001-1")
    wait_until(lambda: any(run.epochs() >= 2 for run in lab.kubelet.runs.values()), "the first trial trains")
    queue.preempt("job-0001-1")
    queue.admit("job-0001-2")
    queue.admit("job-0002-1")
    status = lab.cluster.wait_for_phase("Completed")["status"]
    assert status["trialCounts"]["completed"] == 2
    assert status["trialCounts"]["failed"] == 0
    trials = lab.cluster.trials()
    assert [(trial["status"]["attempt"], trial["status"].get("disruptions", 0)) for trial in trials] == [(2, 1), (1, 0)]
    assert lab.kubelet.most_alive == 1


def test_an_ended_pod_that_the_queue_keeps_holds_no_slot(queued: tuple[Lab, Queue]) -> None:
    """Its containers have ended, and so its GPU is free, however long its finalizer stays."""
    lab, queue = queued
    queue.admit("job-0001-1")
    queue.keep("job-0001-1")
    wait_until(lambda: any(run.epochs() >= 2 for run in lab.kubelet.runs.values()), "the first trial trains")
    queue.preempt("job-0001-1")
    queue.admit("job-0001-2")
    kept = queue.pod("job-0001-1")
    assert kept is not None
    assert kept["metadata"]["deletionTimestamp"]
    queue.admit("job-0002-1")
    status = lab.cluster.wait_for_phase("Completed")["status"]
    assert status["trialCounts"]["completed"] == 2
    assert queue.pod("job-0001-1") is not None
    queue.let_go("job-0001-1")
    wait_until(lambda: queue.pod("job-0001-1") is None, "the Pod goes when the queue lets it")
