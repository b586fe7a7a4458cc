"""The example of the README, shortened, through chart, images and Prometheus; and what early stopping does to Pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.jobs import job_manifest
from cluster.release import ROOT
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.jobs import Namespace
    from cluster.recorder import Recorder

pytestmark = pytest.mark.e2e

EPOCHS, TRIALS = 3, 5
JOB = "fashion"


@pytest.fixture(scope="module")
def shortened(new_namespace: Callable[[], Namespace], recorder: Recorder) -> tuple[Namespace, dict[str, Any]]:
    """The example after its end, with fewer trials and epochs, and one more trial at a time than there are GPUs."""
    assert recorder
    manifest = yaml.safe_load((ROOT / "examples" / "fashion-mnist.yaml").read_text())
    manifest["metadata"] = {"name": JOB}
    manifest["spec"]["limits"] = {"maxTrials": TRIALS, "maxParallelTrials": 3}
    manifest["spec"]["staticParameters"]["epochs"] = str(EPOCHS)
    manifest["spec"]["earlyStopping"] = {"type": "Off"}
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    container["resources"]["requests"]["cpu"] = "100m"  # so that GPUs alone are short, also beside a demo's release
    namespace = new_namespace()
    namespace.apply(manifest)
    return namespace, namespace.wait_for_end(JOB)


def test_it_completes_and_names_the_best(shortened: tuple[Namespace, dict[str, Any]]) -> None:
    namespace, status = shortened
    trials = namespace.trials(JOB)
    assert status["phase"] == "Completed"
    assert status["completionReason"] == "MaxTrialsReached"
    assert status["trialCounts"]["completed"] == TRIALS
    best = max(trials, key=lambda trial: float(trial["status"]["objective"]))
    assert status["bestTrial"]["name"] == best["metadata"]["name"]
    assert float(status["bestTrial"]["objective"]) > 0.3, "a tenth is what guessing gets"
    assert status["totalTrainingSeconds"] == sum(trial["status"]["trainingSeconds"] for trial in trials) > 0
    columns = namespace.kubectl("get", "tuningjobs").splitlines()
    assert columns[0].split() == [
        "NAME",
        "STATUS",
        "TRIALS",
        "PENDING",
        "RUNNING",
        "EARLY-STOPPED",
        "FAILED",
        "BEST",
        "METRIC",
        "AGE",
    ]
    assert columns[1].split()[:3] == [JOB, "Completed", f"{TRIALS}/{TRIALS}"]


def test_every_curve_has_every_epoch(shortened: tuple[Namespace, dict[str, Any]]) -> None:
    namespace, _ = shortened
    curves = [trial["status"]["curve"] for trial in namespace.trials(JOB)]
    assert [curve["epochs"] for curve in curves] == [list(range(1, EPOCHS + 1))] * TRIALS
    assert all(0 <= float(value) <= 1 for curve in curves for value in curve["values"])


def test_no_more_pods_run_than_there_are_gpus(shortened: tuple[Namespace, dict[str, Any]], recorder: Recorder) -> None:
    namespace, _ = shortened
    pods = recorder.pods(namespace.name)
    assert [pod.gpus for pod in pods] == [1] * TRIALS
    assert recorder.most_gpus(namespace.name) == 2
    waited = [message for pod in pods for message in pod.scheduling]
    assert any("Insufficient nvidia.com/gpu" in message for message in waited)
    reasons = [reason for trial in recorder.trials(namespace.name) for reason in trial.reasons]
    assert any(reason.startswith("Unschedulable: ") and "Insufficient nvidia.com/gpu" in reason for reason in reasons)


def test_early_stopping_deletes_the_pod_of_a_trial_that_is_behind(namespace: Namespace, recorder: Recorder) -> None:
    script = """
import os, time
from tuning_trainer import report
good = int(os.environ["TUNING_TRIAL"].split("-")[-1]) <= 3
for epoch in range(1, 61):
    time.sleep(0.02 if good else 0.5)
    report(epoch, {"validation:accuracy": epoch / 100 if good else epoch / 1000})
"""
    namespace.apply(
        job_manifest(
            command=["python", "-c", script],
            epochs=60,
            limits={"maxTrials": 5, "maxParallelTrials": 3},
            earlyStopping={"type": "Auto"},
        )
    )
    status = namespace.wait_for_end()
    trials = namespace.trials()
    assert [trial["status"]["phase"] for trial in trials] == ["Completed"] * 3 + ["EarlyStopped"] * 2
    assert status["trialCounts"]["earlyStopped"] == 2
    for trial in trials[3:]:
        decision = trial["status"]["stopDecision"]
        assert decision["reason"] == "OutOfReach"
        assert float(decision["value"]) < float(decision["threshold"])
        assert trial["status"]["epochs"] < 60
        assert f"{decision['epoch']}" in decision["message"]
    stopped = {trial["metadata"]["name"] for trial in trials[3:]}
    wait_until(
        lambda: all(pod.deleted == (pod.trial in stopped) for pod in recorder.pods(namespace.name)),
        "the Pods of stopped trials, and no others, are gone",
        describe=lambda: recorder.pods(namespace.name),
    )
