"""Whole jobs, from `apply` to the best trial, against a real API server and a real Prometheus."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from cluster.operators import job_manifest
from cluster.played_kubelet import NEVER, Training
from cluster.waiting import wait_until
from tests.api.operator.trainings import rising

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.api.operator.conftest import Lab

pytestmark = pytest.mark.api


def finals(lab: Lab) -> dict[str, str]:
    return {trial["metadata"]["name"]: trial["status"]["phase"] for trial in lab.cluster.trials()}


def test_a_job_runs_all_its_trials_and_names_the_best(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(rising)
    lab.cluster.apply(job_manifest(lab.namespace))
    status = lab.cluster.wait_for_phase("Completed")["status"]
    trials = lab.cluster.trials()
    best = max(trials, key=lambda trial: float(trial["spec"]["parameters"]["x"]))
    assert status["completionReason"] == "MaxTrialsReached"
    assert status["progress"] == "6/6"
    assert status["trialCounts"] == {
        "pending": 0,
        "paused": 0,
        "running": 0,
        "completed": 6,
        "earlyStopped": 0,
        "stopped": 0,
        "failed": 0,
    }
    assert status["bestTrial"]["name"] == best["metadata"]["name"]
    assert status["bestTrial"]["epoch"] == 8
    assert status["bestTrial"]["parameters"] == best["spec"]["parameters"]
    assert float(status["bestTrial"]["objective"]) == pytest.approx(float(best["spec"]["parameters"]["x"]), abs=1e-5)
    assert {item["type"]: item["status"] for item in status["conditions"]}["Complete"] == "True"
    assert [trial["status"]["curve"]["epochs"] for trial in trials] == [list(range(1, 9))] * 6
    assert lab.kubelet.most_alive == 2
    assert len(lab.kubelet.runs) == 6


def test_every_decision_is_one_event_on_the_job(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(rising)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 1}))
    lab.cluster.wait_for_phase("Completed")

    def said() -> list[tuple[str, str]]:
        events = lab.cluster.events()
        return sorted((event["reason"], event.get("related", {}).get("name", "")) for event in events)

    wanted = [
        ("MaxTrialsReached", ""),
        ("TrialCompleted", "job-0001"),
        ("TrialCreated", ""),
    ]
    wait_until(lambda: said() == wanted, f"{wanted} were reported", describe=said)
    assert {event["regarding"]["name"] for event in lab.cluster.events()} == {"job"}


def test_bad_trials_are_stopped_early_with_value_and_threshold(start_lab: Callable[..., Lab]) -> None:
    def train(_parameters: Mapping[str, Any], pod: str) -> Training:
        if int(pod.split("-")[-2]) <= 3:
            return Training(tuple(0.9 * epoch / 10 for epoch in range(1, 11)))
        return Training(tuple(0.1 * epoch / 10 for epoch in range(1, 10)), until=NEVER)

    lab = start_lab(train)
    lab.cluster.apply(
        job_manifest(lab.namespace, earlyStopping={"type": "Median"}, limits={"maxTrials": 5, "maxParallelTrials": 1})
    )
    status = lab.cluster.wait_for_phase("Completed")["status"]
    assert finals(lab) == {
        "job-0001": "Completed",
        "job-0002": "Completed",
        "job-0003": "Completed",
        "job-0004": "EarlyStopped",
        "job-0005": "EarlyStopped",
    }
    assert status["trialCounts"]["earlyStopped"] == 2
    stopped = lab.cluster.trials()[3]["status"]
    decision = stopped["stopDecision"]
    assert decision["reason"] == stopped["reason"] == "BelowMedian"
    assert float(decision["value"]) < float(decision["threshold"])
    assert 2 <= decision["epoch"] < 10
    assert stopped["epochs"] < 10
    pods = {pod["metadata"]["name"] for pod in lab.cluster.pods()}
    assert not pods & {"job-0004-1", "job-0005-1"}


def test_a_dry_run_stops_nothing_and_tells_what_would_have_been_lost(start_lab: Callable[..., Lab]) -> None:
    def train(_parameters: Mapping[str, Any], pod: str) -> Training:
        if int(pod.split("-")[-2]) <= 3:
            return Training((0.5,) * 10)
        return Training((0.1,) * 9 + (0.9,), epoch_seconds=0.4)

    lab = start_lab(train)
    rule = {"type": "Median", "dryRun": True}
    lab.cluster.apply(job_manifest(lab.namespace, earlyStopping=rule, limits={"maxTrials": 4, "maxParallelTrials": 1}))
    status = lab.cluster.wait_for_phase("Completed")["status"]
    assert set(finals(lab).values()) == {"Completed"}
    tried = lab.cluster.trials()[3]["status"]
    decision = tried["wouldStop"]
    assert (decision["reason"], tried["epochs"], "stopDecision" in tried) == ("BelowMedian", 10, False)
    assert status["bestTrial"]["name"] == "job-0004"
    saved = status["earlyStopping"]
    assert (saved["stopped"], saved["wouldStop"], saved["wouldSaveEpochs"]) == (0, 1, 10 - decision["epoch"])
    assert saved["wouldMissBest"] is True
    assert "among them the best, job-0004 (0.9)" in saved["message"]
    events = [event for event in lab.cluster.events() if event["reason"] == "TrialWouldStop"]
    assert {event["regarding"]["kind"] for event in events} == {"HyperparameterTuningJob"}


def test_suggestions_come_from_the_model_after_the_start(
    start_lab: Callable[..., Lab],
) -> None:
    lab = start_lab(rising, trials=14)
    limits = {"maxTrials": 12, "maxParallelTrials": 2}
    completion = {"onConvergence": {"tolerance": 0.5}}  # half of the range is too much to hope for
    lab.cluster.apply(job_manifest(lab.namespace, strategy="Bayesian", limits=limits, completion=completion))
    status = lab.cluster.wait_for_phase("Completed", seconds=180)["status"]
    assert status["completionReason"] == "Converged"
    assert status["suggestion"]["source"] == "Model"
    assert 7 <= status["suggestion"]["trial"] < 12
    assert 0 < float(status["suggestion"]["expectedGain"]) < 0.5
    assert float(status["bestTrial"]["objective"]) > 0.9


def test_no_epoch_is_lost_to_slow_scrapes_or_a_restart_of_prometheus(start_lab: Callable[..., Lab]) -> None:
    def train(_parameters: Mapping[str, Any], _pod: str) -> Training:
        values = tuple(random.Random(_pod).random() for _ in range(40))
        return Training(values, epoch_seconds=0.3, leaves_message=False, waits_for_scrape=True)

    lab = start_lab(train, scrape_interval=5)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 2, "maxParallelTrials": 2}))
    wait_until(lambda: any(run.epochs() >= 15 for run in lab.kubelet.runs.values()), "some epochs were trained")
    lab.prometheus.restart(hard=True)
    lab.cluster.wait_for_phase("Completed")
    for trial in lab.cluster.trials():
        run = next(run for run in lab.kubelet.runs.values() if run.name.startswith(trial["metadata"]["name"]))
        assert trial["status"]["curve"]["epochs"] == list(range(1, 41))
        assert tuple(map(float, trial["status"]["curve"]["values"])) == run.training.values


def test_a_trial_waits_for_prometheus_rather_than_guess(start_lab: Callable[..., Lab]) -> None:
    def train(_parameters: Mapping[str, Any], _pod: str) -> Training:
        return Training((0.1, 0.2, 0.3), epoch_seconds=0.5, leaves_message=False, waits_for_scrape=True)

    lab = start_lab(train)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 1}))
    # A page that was fetched is stored a moment later.
    stored = 'count(last_over_time(tuning_epoch_value{pod="job-0001-1"}[1h]))'
    wait_until(lambda: lab.prometheus.value(stored) == 3, "Prometheus has every epoch")
    wait_until(lambda: all(run.ended for run in lab.kubelet.runs.values()), "the training has ended")
    lab.prometheus.stop()
    lab.operator.restart(hard=True)  # whatever it had read and not recorded is forgotten
    wait_until(
        lambda: lab.cluster.condition("MetricsAvailable").get("status") in {"False", "True"}, "metrics are judged"
    )
    lab.prometheus.start()
    lab.cluster.wait_for_phase("Completed")
    assert lab.cluster.trials()[0]["status"]["curve"] == {"epochs": [1, 2, 3], "values": ["0.1", "0.2", "0.3"]}


def test_a_killed_operator_loses_nothing_and_repeats_nothing(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(rising)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 10, "maxParallelTrials": 3}))
    committed: dict[str, dict[str, str]] = {}
    kills = 0
    random.seed(1)
    while lab.cluster.job().get("status", {}).get("phase") != "Completed":
        for trial in lab.cluster.trials():
            name, parameters = trial["metadata"]["name"], trial["spec"]["parameters"]
            assert committed.setdefault(name, parameters) == parameters
        if kills < 5:
            time.sleep(random.uniform(0.05, 0.8))
            lab.operator.restart(hard=True)
            kills += 1
        assert kills <= 5
    assert len(lab.cluster.trials()) == 10
    assert set(finals(lab).values()) == {"Completed"}
    assert sorted(run.name for run in lab.kubelet.runs.values()) == [f"job-{number:04d}-1" for number in range(1, 11)]
    assert lab.kubelet.most_alive <= 3


def test_deleting_a_job_in_mid_flight_removes_everything_also_without_the_operator(
    start_lab: Callable[..., Lab],
) -> None:
    def train(_parameters: Mapping[str, Any], _pod: str) -> Training:
        return Training((0.5,) * 1000, epoch_seconds=1)

    lab = start_lab(train)
    lab.cluster.apply(job_manifest(lab.namespace))
    wait_until(lambda: len(lab.cluster.pods()) == 2, "two Pods run")
    lab.operator.stop(hard=True)
    lab.cluster.delete_job()
    wait_until(lambda: not lab.cluster.trials() and not lab.cluster.pods(), "trials and Pods are gone")


def test_a_refused_template_fails_the_job_with_the_servers_words(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(rising)
    containers = [{"name": "training", "image": "example.invalid/x", "resources": {"limits": {"cpu": "none at all"}}}]
    lab.cluster.apply(job_manifest(lab.namespace, template={"spec": {"containers": containers}}))
    status = lab.cluster.wait_for_phase("Failed")["status"]
    assert status["completionReason"] == "InvalidTemplate"
    condition = lab.cluster.condition("TemplateValid")
    assert condition["status"] == "False"
    assert "quantit" in condition["message"]
    assert lab.cluster.trials() == []


def test_a_misspelt_field_of_the_template_is_refused(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(rising)
    containers = [{"name": "training", "image": "example.invalid/x", "imagePullPolice": "Always"}]
    lab.cluster.apply(job_manifest(lab.namespace, template={"spec": {"containers": containers}}))
    lab.cluster.wait_for_phase("Failed")
    assert "imagePullPolice" in lab.cluster.condition("TemplateValid")["message"]


def test_suspend_starts_nothing_new_and_resume_goes_on(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(rising)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 4, "maxParallelTrials": 1}))
    wait_until(lambda: len(lab.cluster.trials()) == 2, "the second trial exists")
    lab.cluster.patch_job({"spec": {"suspend": True}})
    lab.cluster.wait_for_phase("Suspended")
    wait_until(lambda: all(run.ended for run in lab.kubelet.runs.values()), "running trials are finished")
    wait_until(lambda: lab.cluster.job()["status"]["trialCounts"]["running"] == 0, "nothing runs")
    trained = len(lab.kubelet.runs)
    lab.cluster.patch_job({"spec": {"suspend": False}})
    lab.cluster.wait_for_phase("Completed")
    assert trained <= 3
    assert len(lab.kubelet.runs) == 4


def test_a_reached_target_ends_the_job_and_stops_what_runs(start_lab: Callable[..., Lab]) -> None:
    def train(_parameters: Mapping[str, Any], pod: str) -> Training:
        first = pod.endswith("0001-1")
        return Training((0.5, 0.99) if first else (0.1,) * 1000, epoch_seconds=0.2)

    lab = start_lab(train)
    lab.cluster.apply(
        job_manifest(lab.namespace, objective={"metric": "validation:accuracy", "goal": "Maximize", "target": 0.95})
    )
    status = lab.cluster.wait_for_phase("Completed")["status"]
    assert status["completionReason"] == "TargetReached"
    assert "job-0001" in status["message"]
    assert set(finals(lab).values()) <= {"Completed", "Stopped"}
    assert finals(lab)["job-0001"] == "Completed"
    wait_until(lambda: all(run.ended for run in lab.kubelet.runs.values()), "nothing runs any more")


def test_a_raised_limit_gives_a_running_job_more_trials(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(rising)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 2, "maxParallelTrials": 1}))
    wait_until(lab.cluster.trials, "the first trial exists")
    lab.cluster.patch_job({"spec": {"limits": {"maxTrials": 5, "maxParallelTrials": 3}}})
    assert lab.cluster.wait_for_phase("Completed")["status"]["progress"] == "5/5"


def test_failed_trials_are_told_and_end_the_job_at_their_limit(start_lab: Callable[..., Lab]) -> None:
    def train(_parameters: Mapping[str, Any], _pod: str) -> Training:
        return Training((0.5,), exit_code=3)

    lab = start_lab(train)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 6, "maxFailedTrials": 2}))
    status = lab.cluster.wait_for_phase("Failed")["status"]
    assert status["completionReason"] == "MaxFailedTrialsReached"
    assert {trial["status"]["reason"] for trial in lab.cluster.trials()} == {"ExitCode3"}
    assert status["objectiveCounts"]["failed"] == status["trialCounts"]["failed"] == 2


def test_a_pod_that_somebody_deletes_is_tried_again_without_loss(start_lab: Callable[..., Lab]) -> None:
    def train(_parameters: Mapping[str, Any], pod: str) -> Training:
        until = NEVER if pod == "job-0001-1" else None
        return Training(tuple(epoch / 20 for epoch in range(1, 21)), epoch_seconds=0.2, until=until)

    lab = start_lab(train)
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 1}))
    wait_until(
        lambda: lab.cluster.trials() and lab.cluster.trials()[0].get("status", {}).get("epochs", 0) >= 3, "it runs"
    )
    lab.cluster.api.call("DELETE", f"/api/v1/namespaces/{lab.namespace}/pods/job-0001-1")
    lab.cluster.wait_for_phase("Completed")
    status = lab.cluster.trials()[0]["status"]
    assert (status["attempt"], status["disruptions"]) == (2, 1)
    assert status["curve"]["epochs"] == list(range(1, 21))
    assert sorted(run.name for run in lab.kubelet.runs.values()) == ["job-0001-1", "job-0001-2"]


def test_nothing_is_written_once_everything_is_finished(start_lab: Callable[..., Lab]) -> None:
    lab = start_lab(rising, "--resync-interval=1")
    lab.cluster.apply(job_manifest(lab.namespace, limits={"maxTrials": 2, "maxParallelTrials": 2}))
    lab.cluster.wait_for_phase("Completed")
    versions = {
        item["metadata"]["name"]: item["metadata"]["resourceVersion"]
        for item in [lab.cluster.job(), *lab.cluster.trials()]
    }
    lab.operator.restart()
    deadline = time.monotonic() + 4  # several resyncs
    while time.monotonic() < deadline:
        now = {
            item["metadata"]["name"]: item["metadata"]["resourceVersion"]
            for item in [lab.cluster.job(), *lab.cluster.trials()]
        }
        assert now == versions
        time.sleep(0.2)
