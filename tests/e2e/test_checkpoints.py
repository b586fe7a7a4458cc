"""An evicted trial continues from its checkpoint: examples/checkpoints.yaml, shortened, with a volume on the node."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.release import ROOT
from cluster.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.jobs import Namespace
    from cluster.tools import Tools

pytestmark = pytest.mark.e2e

JOB, EPOCHS = "resumed", 20


@pytest.fixture
def volume(tools: Tools, namespace: Namespace) -> Iterator[str]:
    """A volume on the node for the example's claim, which a cluster in the cloud would provide by itself."""
    with tempfile.TemporaryDirectory(prefix="checkpoints-") as folder:
        Path(folder).chmod(0o777)
        name = f"checkpoints-{namespace.name}"
        manifest = {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteMany"],
                "claimRef": {"name": "checkpoints", "namespace": namespace.name},
                "hostPath": {"path": folder},
            },
        }
        tools.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
        yield name
        namespace.kubectl("delete", "tuningjob,pvc", "--all")
        tools.kubectl("delete", "persistentvolume", name)


def test_an_evicted_trial_goes_on_from_its_checkpoint(namespace: Namespace, volume: str) -> None:
    assert volume
    claim, job = yaml.safe_load_all((ROOT / "examples" / "checkpoints.yaml").read_text())
    claim["spec"]["storageClassName"] = ""
    job["metadata"]["name"] = JOB
    job["spec"]["limits"] = {"maxTrials": 1}
    job["spec"]["staticParameters"]["epochs"] = str(EPOCHS)
    namespace.apply(claim)
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


def trial(namespace: Namespace) -> dict[str, Any]:
    """The status of the job's only trial."""
    return next((dict(each["status"]) for each in namespace.trials(JOB) if "status" in each), {})
