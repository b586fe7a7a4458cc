"""The best settings train again with other seeds, against a real API server, and the best mean wins."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import pytest

from cluster.operators import job_manifest
from cluster.played_kubelet import Training
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api

AGAIN = {4: 0.25, 5: 0.125, 6: 0.5, 7: 0.75}
"""What the repetitions reach, by their numbers: the best of the search was lucky."""


def train(parameters: Mapping[str, Any], pod: str) -> Training:
    """A trial of the search reaches x; the first attempt of trial 6 fails."""
    number = int(pod.split("-")[-2])
    value = AGAIN.get(number, float(parameters["x"]))
    return Training((value / 2, value), epoch_seconds=0.5, exit_code=1 if pod == "job-0006-1" else 0)


def test_the_setting_with_the_best_mean_wins_and_a_completed_job_confirms_more(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(train)
    limits = {"maxTrials": 3, "maxParallelTrials": 2, "maxFailedTrials": 1}
    job = job_manifest(lab.namespace, limits=limits, retry={"maxAttempts": 2}, confirm={"top": 2, "seeds": 2})
    lab.cluster.apply(job)
    during = lab.cluster.wait_for_phase("Confirming")["status"]
    assert during["completionReason"] == "MaxTrialsReached"
    assert "completionTime" not in during
    status = lab.cluster.wait_for_phase("Completed")["status"]

    trials = lab.cluster.trials()
    tried = sorted(trials[:3], key=lambda trial: -float(trial["status"]["objective"]))
    best, second = (trial["spec"] for trial in tried[:2])
    repeated = [(trial["spec"]["confirms"], trial["spec"]["parameters"]) for trial in trials[3:]]
    assert repeated == [(spec["number"], spec["parameters"]) for spec in (best, best, second, second)]
    seeds = [trial["spec"]["seed"] for trial in trials]
    assert seeds[3:5] == seeds[5:7]
    assert len(set(seeds)) == 5, "two seeds for the repetitions, and one for each trial of the search"
    pods = {pod["metadata"]["name"]: pod["spec"]["containers"][0]["env"] for pod in lab.cluster.pods()}
    assert {"name": "TUNING_SEED", "value": str(seeds[3])} in pods["job-0004-1"]
    assert trials[5]["status"]["attempt"] == 2
    assert lab.kubelet.most_alive <= 2

    assert status["progress"] == "3/3"
    winner = status["bestTrial"]
    assert winner["name"] == tried[1]["metadata"]["name"]
    assert winner["objective"] == tried[1]["status"]["objective"]
    assert float(winner["confirmation"]["mean"]) == 0.625
    assert float(winner["confirmation"]["standardDeviation"]) == pytest.approx(statistics.stdev([0.5, 0.75]))
    assert winner["display"] == "0.625±0.18"
    assert status["confirmation"]["progress"] == "4/4"
    assert [setting["confirmed"] for setting in status["confirmation"]["settings"]] == [True, True]
    wait_until(
        lambda: {"Confirming", "Confirmed"} <= {event["reason"] for event in lab.cluster.events()}, "both are reported"
    )
    assert any("does not refer to TUNING_SEED" in event["note"] for event in lab.cluster.events())

    lab.cluster.patch_job({"spec": {"confirm": {"top": 3}}})
    wait_until(lambda: len(lab.cluster.trials()) == 9, "the third setting is repeated, too")
    again = lab.cluster.wait_for_phase("Completed")["status"]
    assert again["confirmation"]["progress"] == "6/6"
    assert (again["completionReason"], again["progress"]) == ("MaxTrialsReached", "3/3")
    assert {trial["spec"].get("confirms") for trial in lab.cluster.trials()[7:]} == {tried[2]["spec"]["number"]}


def test_what_a_suspension_stops_is_repeated_and_a_budget_ends_a_confirmation(start_lab: Callable[..., Lab]) -> None:
    def slow(parameters: Mapping[str, Any], pod: str) -> Training:
        number = int(pod.split("-")[-2])
        return Training((float(parameters["x"]),) * (1 if number == 1 else 1000), epoch_seconds=0.2)

    lab = start_lab(slow)
    limits = {"maxTrials": 1, "maxParallelTrials": 1}
    lab.cluster.apply(job_manifest(lab.namespace, limits=limits, confirm={"top": 1, "seeds": 2}))
    wait_until(lambda: _phases(lab) == ["Completed", "Running"], "it repeats", describe=lambda: _phases(lab))
    lab.cluster.patch_job({"spec": {"suspend": True, "suspendPolicy": "Stop"}})
    wait_until(lambda: _phases(lab) == ["Completed", "Stopped"], "it is stopped", describe=lambda: _phases(lab))
    lab.cluster.patch_job({"spec": {"suspend": False}})
    wait_until(lambda: _phases(lab)[2:] == ["Running"], "it is repeated", describe=lambda: _phases(lab))
    trials = lab.cluster.trials()
    assert trials[1]["spec"]["seed"] == trials[2]["spec"]["seed"]
    lab.cluster.patch_job({"spec": {"limits": {"maxTrainingTime": "1s"}}})
    status = lab.cluster.wait_for_phase("Completed")["status"]
    assert _phases(lab) == ["Completed", "Stopped", "Stopped"]
    assert (status["completionReason"], status["bestTrial"]["name"]) == ("MaxTrialsReached", "job-0001")
    assert "confirmation" not in status["bestTrial"]
    assert "limits.maxTrainingTime" in status["confirmation"]["message"]


def _phases(lab: Lab) -> list[str]:
    return [trial.get("status", {}).get("phase", "Pending") for trial in lab.cluster.trials()]
