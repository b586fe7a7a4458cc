"""What only a real kubelet makes of a Pod: it expands variables, cuts messages, and ends what fails its probe."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from cluster.jobs import METRIC, job_manifest

if TYPE_CHECKING:
    from cluster.jobs import Namespace

pytestmark = pytest.mark.e2e

NOTES = {"dollars": "$$x $(HP_x) $$$(HP_x) $HOME ${HOME} $", "quoted": '"it\'s" \\ \n', "rate": "1e-3", "code": "007"}
LITERAL = """
import base64, json, os, sys
expected = json.loads(base64.b64decode(sys.argv[1]))
hyperparameters = json.loads(os.environ["HYPERPARAMETERS"])
for name, text in expected.items():
    assert os.environ["HP_" + name] == text, name
    assert hyperparameters[name] == (0.001 if name == "rate" else text), name
assert float(sys.argv[2]) == hyperparameters["x"]
values = [0.5] * 40
message = {"epochs": list(range(1, 41)), "metrics": {"validation:accuracy": values}, "completed": 40}
message["more"] = "x" * (int(os.environ["TUNING_TERMINATION_BYTES"]) - len(json.dumps(message)) - 12)
text = json.dumps(message)
assert len(text) <= int(os.environ["TUNING_TERMINATION_BYTES"]) < 4096, len(text)
open("/dev/termination-log", "w").write(text)
"""


def test_what_is_recorded_reaches_the_training_and_a_message_of_the_hyperparameters_length_comes_back_whole(
    namespace: Namespace,
) -> None:
    encoded = base64.b64encode(json.dumps(NOTES).encode()).decode()
    command = ["python", "-c", LITERAL, encoded, "$(HP_x)"]
    manifest = job_manifest(command=command, limits={"maxTrials": 1}, staticParameters=NOTES)
    spec = manifest["spec"]["template"]["spec"]
    image = spec["containers"][0]["image"]
    spec["containers"] += [{"name": f"helper-{n}", "image": image, "command": ["true"]} for n in range(3)]
    namespace.apply(manifest)
    namespace.wait_for_end()
    (trial,) = namespace.trials()
    status = trial["status"]
    assert (status["phase"], status["epochs"]) == ("Completed", 40), status.get("message")


def test_what_does_not_start_or_fails_its_probe_says_so_and_costs_no_time_that_it_did_not_run(
    namespace: Namespace,
) -> None:
    once: dict[str, Any] = {"limits": {"maxTrials": 1}}
    namespace.apply(job_manifest(name="missing", command=["/no/such/program"], **once))
    probed = job_manifest(name="probed", command=["sh", "-c", "exec sleep 60"], **once)
    probed["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = {
        "exec": {"command": ["false"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    probed["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 1
    namespace.apply(probed)
    namespace.wait_for_end("missing")
    (trial,) = namespace.trials("missing")
    status = trial["status"]
    assert (status["phase"], status["trainingSeconds"]) == ("Failed", 0), status
    assert "no such file" in status["message"]
    namespace.wait_for_end("probed")
    (trial,) = namespace.trials("probed")
    assert "its livenessProbe failed" in trial["status"]["message"]


def test_a_sidecar_starts_beside_root_and_reads_what_is_for_the_trainings_user_alone(namespace: Namespace) -> None:
    script = f"umask 077; echo '{{\"{METRIC}\": 0.5}}' > /logs/out; sleep 1"
    source = {"type": "File", "file": {"path": "/logs/out", "format": "JSONLines"}}
    for name, user in (("own", {"runAsUser": 1000, "runAsGroup": 1000}), ("root", {"runAsUser": 0})):
        command = ["sh", "-c", script if name == "own" else script.removeprefix("umask 077; ")]
        manifest = job_manifest(name=name, command=command, limits={"maxTrials": 1}, metrics={"source": source})
        container = manifest["spec"]["template"]["spec"]["containers"][0]
        container["securityContext"] = user
        namespace.apply(manifest)
    for name in ("own", "root"):
        namespace.wait_for_end(name)
        (trial,) = namespace.trials(name)
        assert (trial["status"]["phase"], trial["status"].get("objective")) == ("Completed", "0.5"), trial["status"]
