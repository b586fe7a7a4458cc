"""How jobs are suspended, ended and resumed, against a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cluster.operators import job_manifest
from cluster.played_kubelet import Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

LONG = Training((0.25,) * 1000, epoch_seconds=0.2)
SHORT = Training((0.25, 0.5), epoch_seconds=0.2)


def phases(lab: Lab) -> list[str]:
    return [trial.get("status", {}).get("phase", "Pending") for trial in lab.cluster.trials()]


def wait_for_epochs(lab: Lab) -> None:
    """Until two trials have measurements on record."""
    wait_until(
        lambda: sum(trial.get("status", {}).get("epochs", 0) > 0 for trial in lab.cluster.trials()) == 2, "two report"
    )


def wait_for_no_pods(lab: Lab) -> None:
    wait_until(lambda: all(run.ended or run.deleted for run in lab.kubelet.runs.values()), "nothing runs any more")


def test_a_job_is_suspended_with_a_stop_and_goes_on_and_goes_on_after_its_end(start_lab: Callable[..., Lab]) -> None:
    def train(_parameters: Mapping[str, Any], pod: str) -> Training:
        return LONG if pod in {"job-0001-1", "job-0002-1"} else SHORT

    lab = start_lab(train)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 3, "maxParallelTrials": 2}))
    wait_for_epochs(lab)
    lab.cluster.patch_job({"spec": {"suspend": True, "suspendPolicy": "Stop"}})
    wait_until(lambda: phases(lab) == ["Stopped", "Stopped"], "both trials are stopped", describe=lambda: phases(lab))
    wait_for_no_pods(lab)
    stopped = lab.cluster.trials()[0]["status"]
    assert (stopped["stopDecision"]["reason"], stopped["objective"]) == ("JobSuspended", "0.25")
    wait_until(lambda: lab.cluster.job()["status"]["trialCounts"]["stopped"] == 2, "the job knows of it")
    assert lab.cluster.job()["status"]["phase"] == "Suspended"

    lab.cluster.patch_job({"spec": {"suspend": False}})
    completed = lab.cluster.wait_for_phase("Completed")["status"]
    assert (completed["completionReason"], completed["progress"]) == ("MaxTrialsReached", "3/3")
    assert phases(lab) == ["Stopped", "Stopped", "Completed"]

    lab.cluster.patch_job({"spec": {"limits": {"maxTrials": 5}}})
    wait_until(lambda: len(lab.cluster.trials()) == 5, "it continues")
    again = lab.cluster.wait_for_phase("Completed")["status"]
    assert (again["completionReason"], again["progress"]) == ("MaxTrialsReached", "5/5")
    assert phases(lab)[2:] == ["Completed"] * 3
    assert {"Resumed", "MaxTrialsReached"} <= {event["reason"] for event in lab.cluster.events()}
    assert lab.cluster.condition("Complete")["status"] == "True"


def test_a_job_that_the_user_stops_has_ended_for_good(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(lambda *_: LONG)
    lab.cluster.apply(job_manifest(lab.namespace))
    wait_for_epochs(lab)
    lab.cluster.patch_job({"spec": {"stop": True}})
    status = lab.cluster.wait_for_phase("Stopped")["status"]
    assert (status["completionReason"], status["bestTrial"]["objective"]) == ("StoppedByUser", "0.25")
    assert phases(lab) == ["Stopped", "Stopped"]
    assert lab.cluster.condition("Stopped")["status"] == "True"
    wait_for_no_pods(lab)
    lab.cluster.patch_job({"spec": {"limits": {"maxTrials": 20}}})
    edited = lab.cluster.job()["metadata"]["generation"]
    wait_until(lambda: lab.cluster.job()["status"]["observedGeneration"] == edited, "the edit was seen")
    assert lab.cluster.job()["status"] == status | {"observedGeneration": edited}
    assert len(lab.cluster.trials()) == 2
