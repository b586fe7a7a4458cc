"""Budgets and the deadline of a trial, with a running operator against a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cluster.operators import job_manifest
from cluster.played_kubelet import Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

LONG = Training((0.25, 0.5) * 500, epoch_seconds=0.2)
LATEST = 20
"""Seconds that a busy machine may take to end a training whose time is over."""


@pytest.mark.parametrize(
    ("limit", "budget", "seconds", "reason"),
    [
        ({"maxTrainingTime": "6s"}, {}, 6, "MaxTrainingTimeReached"),
        ({"maxGPUHours": 0.005}, {"cost": {"gpusPerPod": 3, "pricePerGPUHour": 2}}, 6, "MaxGPUHoursReached"),
    ],
)
def test_a_budget_ends_a_job_and_stops_what_runs(
    start_lab: Callable[..., Lab], limit: dict[str, Any], budget: dict[str, Any], seconds: int, reason: str
) -> None:
    lab = start_lab(lambda *_: LONG)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 9, "maxParallelTrials": 2, **limit}, **budget))
    status = lab.cluster.wait_for_phase("Completed")["status"]
    assert status["completionReason"] == reason
    trials = [trial["status"] for trial in lab.cluster.trials()]
    assert [trial["phase"] for trial in trials] == ["Stopped", "Stopped"]
    assert {trial["stopDecision"]["reason"] for trial in trials} == {reason}
    assert seconds <= status["totalTrainingSeconds"] + len(trials) <= seconds + LATEST, "times are whole seconds"
    assert ("cost" in status) == bool(budget)
    assert {run.name for run in lab.kubelet.runs.values()} == {"job-0001-1", "job-0002-1"}, "nothing started after it"


def test_a_trial_at_its_deadline_is_completed_with_what_it_has_reached(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(lambda *_: LONG)
    limits = {"maxTrials": 2, "maxParallelTrials": 2, "maxTrialDuration": "3s"}
    lab.cluster.apply(job_manifest(lab.namespace, limits=limits))
    status = lab.cluster.wait_for_phase("Completed")["status"]
    assert (status["completionReason"], status["trialCounts"]["completed"]) == ("MaxTrialsReached", 2)
    for trial in lab.cluster.trials():
        assert trial["status"]["stopDecision"]["reason"] == "MaxTrialDurationReached"
        assert trial["status"]["objectiveStatus"] == "Succeeded"
        assert 0 < trial["status"]["epochs"] < 1000
        assert 2 <= trial["status"]["trainingSeconds"] <= 3 + LATEST
    wait_until(lambda: all(run.deleted for run in lab.kubelet.runs.values()), "no Pod is left")
