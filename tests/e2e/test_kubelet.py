"""What only a real kubelet does: it kills what takes too much memory, or too long to end, and looks for images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cluster.jobs import job_manifest
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from cluster.jobs import Namespace
    from cluster.recorder import Recorder

pytestmark = pytest.mark.e2e

GREEDY = "hoard = []\nwhile True: hoard.append(bytes(10_000_000))"
STUBBORN = "trap '' TERM; echo deaf; while true; do sleep 0.1; done"
GRACE_SECONDS = 3


def test_the_kubelets_ways_to_end_a_training(namespace: Namespace, recorder: Recorder) -> None:
    namespace.apply(greedy())
    namespace.apply(stubborn())
    namespace.apply(imageless())
    wait_until(lambda: is_running(namespace, "stubborn"), "the stubborn training runs")
    namespace.kubectl(
        "patch", "tuningjob", "stubborn", "--type=merge", "-p", '{"spec":{"limits":{"maxDuration":"1s"}}}'
    )

    assert namespace.wait_for_end("stubborn")["completionReason"] == "MaxDurationReached"
    (trial,) = namespace.trials("stubborn")
    assert trial["status"]["phase"] == "Stopped"
    (pod,) = (pod for pod in recorder.pods(namespace.name) if pod.job == "stubborn")
    wait_until(lambda: pod.deleted, "its Pod is gone")

    status = namespace.wait_for_end("greedy")
    trial = namespace.trials("greedy")[0]  # while its last measurements were fetched another may have been committed
    assert (trial["status"]["phase"], trial["status"]["reason"]) == ("Failed", "OOMKilled")
    assert (trial["status"]["failures"], trial["status"]["disruptions"]) == (2, 0)
    assert "greedy-0001 (OOMKilled)" in status["message"]

    (trial,) = namespace.trials("imageless")
    assert (trial["status"]["phase"], trial["status"]["reason"]) == ("Pending", "ErrImageNeverPull")
    assert "no-such-image" in trial["status"]["message"]


def greedy() -> dict[str, Any]:
    manifest = job_manifest(
        name="greedy",
        command=["python", "-c", GREEDY],
        retry={"maxAttempts": 2},
        limits={"maxTrials": 2, "maxFailedTrials": 1},
    )
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["resources"]["limits"] = {"memory": "64Mi"}
    return manifest


def stubborn() -> dict[str, Any]:
    manifest = job_manifest(name="stubborn", command=["sh", "-c", STUBBORN], limits={"maxTrials": 1})
    manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = GRACE_SECONDS
    return manifest


def imageless() -> dict[str, Any]:
    manifest = job_manifest(name="imageless", limits={"maxTrials": 1})
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": "localhost/no-such-image:1", "imagePullPolicy": "Never"}
    return manifest


def is_running(namespace: Namespace, job: str) -> bool:
    return [(trial.get("status") or {}).get("phase") for trial in namespace.trials(job)] == ["Running"]
