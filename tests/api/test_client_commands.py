"""`kubectl tuning` against a real API server: as kubectl's plugin, with its flags and the server's words."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cluster import paths
from cluster.controlplane import KubectlError
from tuning_client import ContinuousParameter, Estimator, HyperparameterTuner, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from cluster.controlplane import ControlPlane

    Tuning = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.api

STOP = {"reason": "BelowMedian", "epoch": 2, "value": "0.2", "threshold": "0.5", "message": "epoch 2: 0.2 is below 0.5"}
STATUS = {"phase": "Completed", "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:01:00Z"}


@pytest.fixture
def tuning(control_plane: ControlPlane, namespace: str) -> Tuning:
    """Run `kubectl tuning …` in the namespace, with nothing but this cluster to find."""
    folders = [str(paths.binary("kubectl").parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {"PATH": os.pathsep.join(folders), "HOME": os.environ["HOME"], "COLUMNS": "80", "TERM": "dumb"}

    def run(*arguments: str, where: str = namespace) -> subprocess.CompletedProcess[str]:
        command = ["kubectl", "tuning", *arguments, "-n", where, "--kubeconfig", str(control_plane.kubeconfig)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def a_job(control_plane: ControlPlane, namespace: str) -> str:
    """A job of two trials that has ended, with the statuses that the operator writes."""
    session = Session(namespace, kubeconfig=control_plane.kubeconfig)
    space = {"lr": ContinuousParameter(0.001, 1)}
    image = Estimator("registry.example.com/trainer:1", command=["python", "train.py"])
    tuner = HyperparameterTuner(image, "accuracy", space, max_jobs=2, random_seed=1, session=session)
    tuner.fit(job_name="j", wait=False)
    owner = session.job("j")["metadata"]["uid"]

    def write(resource: str, name: str, status: dict[str, Any]) -> None:
        patch = ("patch", resource, name, "-n", namespace, "--subresource=status", "--type=merge", "-p")
        control_plane.kubectl(*patch, json.dumps({"status": status}))

    trials = (("Completed", "0.4", "0.5", "0.7"), ("EarlyStopped", "0.1", "0.2"))
    kind = {"apiVersion": "tuning-operator.dev/v1alpha1", "kind": "HyperparameterTuningJob"}
    for number, (phase, *values) in enumerate(trials, start=1):
        trial = {
            "apiVersion": "tuning-operator.dev/v1alpha1",
            "kind": "TuningTrial",
            "metadata": {
                "name": f"j-{number:04d}",
                "namespace": namespace,
                "labels": {"tuning-operator.dev/job": "j"},
                "ownerReferences": [{**kind, "name": "j", "uid": owner}],
            },
            "spec": {"number": number, "parameters": {"lr": f"0.{number}"}, "seed": number},
        }
        control_plane.kubectl("create", "-f=-", stdin=json.dumps(trial))
        curve = {"epochs": list(range(1, len(values) + 1)), "values": values}
        found = {"curve": curve, "epochs": len(values), "objective": values[-1], "trainingSeconds": 60}
        decision = {"stopDecision": STOP, "reason": STOP["reason"], "message": STOP["message"]} if number == 2 else {}
        ended = {**STATUS, "phase": phase, "objectiveStatus": "Succeeded"}
        write("tuningtrials", f"j-{number:04d}", {**ended, **found, **decision})
    best = {"name": "j-0001", "objective": "0.7", "epoch": 3, "parameters": {"lr": "0.1"}}
    write("tuningjobs", "j", {**STATUS, "progress": "2/2", "bestTrial": best, "totalTrainingSeconds": 120})
    return "j"


def test_the_plugin_shows_a_job(tuning: Tuning, a_job: str) -> None:
    listed = tuning("list")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.splitlines()[1].split()[:5] == [a_job, "Completed", "0.7", "0001", "2/2"]
    assert "j-0002 stopped early: epoch 2: 0.2 is below 0.5" in tuning("why", a_job).stdout
    assert "(epoch 2, value 0.2, threshold 0.5)" in tuning("why", f"{a_job}/2").stdout
    drawn = tuning("curves", a_job)
    assert "best: j-0001, 0.7 at epoch 3" in drawn.stdout
    assert max(map(len, drawn.stdout.splitlines())) <= 80
    assert "\x1b" not in listed.stdout + drawn.stdout
    assert tuning("watch", a_job).returncode == 0
    assert "winner: j-0001 with 0.7 would have been kept" in tuning("what-if", a_job, "--rule", "Auto").stdout


@pytest.mark.parametrize("kind", ["Pod", "Job"])
def test_the_best_setting_is_a_manifest_that_the_server_accepts(
    tuning: Tuning, control_plane: ControlPlane, namespace: str, a_job: str, kind: str
) -> None:
    made = tuning("best", a_job, "--kind", kind).stdout
    create = ("create", "--dry-run=server", "--validate=strict", "-n", namespace, "-f=-", "-o=json")
    accepted = json.loads(control_plane.kubectl(*create, stdin=made))
    pod = accepted if kind == "Pod" else accepted["spec"]["template"]
    assert {"name": "HP_lr", "value": "0.1"} in pod["spec"]["containers"][0]["env"]


def test_trials_are_written_to_a_file(tuning: Tuning, a_job: str, tmp_path: Path) -> None:
    assert tuning("export", a_job, "--csv", str(tmp_path / "trials.csv")).returncode == 0
    header, *rows = (tmp_path / "trials.csv").read_text().splitlines()
    assert header.startswith(",lr,TrainingJobName,TrainingJobStatus,FinalObjectiveValue,")
    assert rows[0].startswith("0,0.1,j-0001,Completed,0.7,")
    assert len(rows) == 2
    refused = tuning("export", a_job, "--csv", str(tmp_path / "nothing" / "trials.csv"))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: ")


def test_the_pages_recipes_wait_for_what_they_say(control_plane: ControlPlane, namespace: str, a_job: str) -> None:
    times = {"lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "MaxTrialsReached", "message": "all have ended"}
    ended = [{"type": kind, "status": "True", **times} for kind in ("Complete", "Finished")]
    patch = ("patch", "tuningjobs", a_job, "-n", namespace, "--subresource=status", "--type=merge", "-p")
    page = (Path(__file__).parents[2] / "docs" / "gitops.md").read_text()
    recipes = [shlex.split(line)[1:] for line in page.splitlines() if line.startswith("kubectl wait")]
    assert len(recipes) == 4
    by_phase, others = recipes[-1], recipes[:-1]
    control_plane.kubectl(*patch, json.dumps({"status": {"phase": "Running", "conditions": []}}))
    control_plane.kubectl(*(word.replace("fashion", a_job) for word in by_phase), "-n", namespace)
    control_plane.kubectl(*patch, json.dumps({"status": {"phase": "Completed", "conditions": ended}}))
    for words in others:
        control_plane.kubectl(*(word.replace("fashion", a_job) for word in words), "-n", namespace)
    with pytest.raises(KubectlError, match="timed out"):
        control_plane.kubectl("wait", f"tuningjob/{a_job}", "--for=condition=Failed", "-n", namespace, "--timeout=1s")


def test_errors_are_in_the_servers_words(tuning: Tuning, a_job: str, namespace: str) -> None:
    missing = tuning("why", "nothing")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert f'tuningjobs.tuning-operator.dev "nothing" not found in namespace {namespace}' in missing.stderr
    log = tuning("logs", f"{a_job}/1")
    assert log.returncode == 1
    assert 'pods "j-0001-1" not found' in log.stderr
    context = tuning("list", "--context", "prod")
    assert "there is no context 'prod' in the kubeconfig; it has: tuning-operator-test" in context.stderr
    assert tuning("list", where="elsewhere").stdout == "No jobs in namespace elsewhere.\n"
    assert tuning("nothing").returncode == 2
