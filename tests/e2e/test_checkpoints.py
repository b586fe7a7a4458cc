"""A trial resumes from its checkpoint after an eviction and after a pause, with a volume on the node."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.jobs import job_manifest
from cluster.release import ROOT
from cluster.volumes import claim, volume_on_node
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.jobs import Namespace
    from cluster.tools import Tools

pytestmark = pytest.mark.e2e

JOB, EPOCHS = "resumed", 20
CURVES = {
    "1": (0.2, 0.3, 0.4, 0.6, 0.9),
    "2": (0.3, 0.4, 0.5, 0.65, 0.7),
    "3": (0.02, 0.03, 0.05, 0.5, 0.95),
    "4": (0.25, 0.35, 0.45, 0.55, 0.65),
}
"""Of four settings, tried in this order. The first two change places late, so that the third may still pass them."""

KEEPING = """
import json, os, pathlib, sys, time
import tuning_trainer
curve, folder = json.loads(os.environ["CURVES"])[os.environ["HP_setting"]], os.environ["TUNING_CHECKPOINT_DIR"]
file = pathlib.Path(folder, "epochs")
file.parent.mkdir(parents=True, exist_ok=True)
done = int(file.read_text()) if file.exists() else 0
print(f"resumed after epoch {done}" if done else "started")
for epoch, value in enumerate(curve, 1):
    if epoch > done:
        time.sleep(1)
        if os.environ["HP_setting"] == "3" and epoch == 4 and not done:
            time.sleep(3600)  # until it is paused
        file.write_text(str(epoch))
    tuning_trainer.report(epoch, {os.environ["TUNING_OBJECTIVE_METRIC"]: value})
"""


@pytest.fixture
def volume(tools: Tools, namespace: Namespace) -> Iterator[str]:
    """A volume on the node for the example's claim, which a cluster in the cloud would provide by itself."""
    with volume_on_node(tools.kubectl, namespace.name) as name:
        yield name
        namespace.kubectl("delete", "tuningjob", "--all")


def test_an_evicted_trial_goes_on_from_its_checkpoint(namespace: Namespace, volume: str) -> None:
    assert volume
    storage, job = yaml.safe_load_all((ROOT / "examples" / "checkpoints.yaml").read_text())
    storage["spec"]["storageClassName"] = ""
    job["metadata"]["name"] = JOB
    job["spec"]["limits"] = {"maxTrials": 1}
    job["spec"]["staticParameters"]["epochs"] = str(EPOCHS)
    namespace.apply(storage)
    namespace.apply(job)
    wait_until(lambda: trial(namespace).get("epochs", 0) >= 2, "two epochs are recorded", seconds=120)
    before = trial(namespace)["curve"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": f"{JOB}-0001-1", "namespace": namespace.name},
    }
    path = f"/api/v1/namespaces/{namespace.name}/pods/{JOB}-0001-1/eviction"
    namespace.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    status = namespace.wait_for_end(JOB)
    after = trial(namespace)
    assert status["completionReason"] == "MaxTrialsReached"
    assert (after["attempt"], after["disruptions"]) == (2, 1)
    assert after["curve"]["epochs"] == list(range(1, EPOCHS + 1))
    recorded = len(before["epochs"])
    assert after["curve"]["values"][:recorded] == before["values"]
    log = namespace.kubectl("logs", f"{JOB}-0001-2")
    assert "resumed in epoch" in log
    assert f"epoch {recorded} of {EPOCHS}:" not in log, "what was reported is not trained again"
    reasons = {event["reason"] for event in json.loads(namespace.kubectl("get", "events", "-o", "json"))["items"]}
    assert "MeasurementChanged" not in reasons


def test_a_paused_trial_resumes_from_its_checkpoint_and_becomes_the_best(namespace: Namespace, volume: str) -> None:
    """It is paused for the fourth trial, resumes when none is left, and completes."""
    assert volume
    job = job_manifest(
        name="paused",
        command=["python", "-c", KEEPING],
        parameters=[{"name": "setting", "categorical": {"values": list(CURVES)}}],
        initialTrials=[{"parameters": {"setting": setting}} for setting in CURVES],
        limits={"maxTrials": 4, "maxParallelTrials": 1},
        checkpointDir="/checkpoints",
        earlyStopping={"type": "Auto", "pause": True},
    )
    container = job["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "CURVES", "value": json.dumps(CURVES)}]
    container["volumeMounts"] = [{"name": "checkpoints", "mountPath": "/checkpoints"}]
    checkpoints = {"name": "checkpoints", "persistentVolumeClaim": {"claimName": "checkpoints"}}
    job["spec"]["template"]["spec"]["volumes"] = [checkpoints]
    namespace.apply(claim())
    namespace.apply(job)
    status = namespace.wait_for_end("paused")
    third = next(each["status"] for each in namespace.trials("paused") if each["spec"]["number"] == 3)
    assert (third["phase"], third["attempt"], third["resumptions"]) == ("Completed", 2, 1)
    assert third["pauseDecision"]["epoch"] <= 3
    assert [float(value) for value in third["curve"]["values"]] == list(CURVES["3"])
    assert "repeatedEpochs" not in third
    assert (status["completionReason"], status["bestTrial"]["name"]) == ("SpaceExhausted", "paused-0003")
    assert status["earlyStopping"]["resumptions"] == 1
    assert "resumed after epoch" in namespace.kubectl("logs", "paused-0003-2")
    told = {event["reason"] for event in json.loads(namespace.kubectl("get", "events", "-o", "json"))["items"]}
    assert {"TrialPaused", "TrialResumed"} <= told
    assert "EpochsRepeated" not in told


def trial(namespace: Namespace) -> dict[str, Any]:
    """The status of the job's only trial."""
    return next((dict(each["status"]) for each in namespace.trials(JOB) if "status" in each), {})
