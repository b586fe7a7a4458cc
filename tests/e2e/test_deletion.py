"""`kubectl delete tuningjob` in mid-flight: nothing of the job stays, with or without an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cluster.jobs import job_manifest
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from cluster.jobs import Namespace, Operator
    from cluster.recorder import Recorder

pytestmark = pytest.mark.e2e


def start(namespace: Namespace) -> None:
    """Apply a job of long trials and wait until two of them train."""
    namespace.apply(job_manifest(epochs=200, epoch_seconds=1, limits={"maxTrials": 6, "maxParallelTrials": 2}))
    wait_until(
        lambda: [pod["status"].get("phase") for pod in namespace.pods()] == ["Running"] * 2, "two trials are training"
    )


def delete_and_look(namespace: Namespace) -> None:
    namespace.kubectl("delete", "tuningjob", "job", "--wait=false")
    wait_until(
        lambda: not namespace.trials() and not namespace.pods(),
        "trials and Pods are gone",
        seconds=90,
        describe=lambda: namespace.kubectl("get", "tuningtrials,pods"),
    )
    assert not namespace.kubectl("get", "tuningjobs").strip()


def test_trials_and_pods_go_with_their_job(namespace: Namespace, recorder: Recorder) -> None:
    start(namespace)
    delete_and_look(namespace)
    assert len(recorder.pods(namespace.name)) == 2, "no trial was started after the deletion"


def test_trials_and_pods_go_with_their_job_also_without_an_operator(operator: Operator, namespace: Namespace) -> None:
    start(namespace)
    operator.scale(0)
    try:
        delete_and_look(namespace)
    finally:
        operator.scale(1)
