"""The demo's job with checkpoints: a trial that is evicted and one that is paused continue where they were."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cluster.volumes import volume_on_node
from cluster.waiting import wait_until
from demo.install import PAUSING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cluster.jobs import Namespace
    from cluster.tools import Tools

pytestmark = pytest.mark.e2e

JOB, EPOCHS = "resumed", 10
EVICTED, PAUSED = 3, 4
SETTINGS = (("0.6", "64"), ("0.5", "64"), ("0.0014", "16"), ("0.00035", "16"), ("0.8", "64"))
"""Learning rates and batch sizes, in this order. While the rate warms up, the first two and the last learn at once and
break down later; the third learns slowly and ends as the best. Ranks are decided so late that the fourth, still slower,
is paused for the last but never given up."""


@dataclass(frozen=True)
class Ended:
    """The job after its end.

    Attributes:
        namespace: Where it ran.
        status: Its status.
        trials: Those of its trials, by number.
        before: The curves when a trial was evicted and when one was paused, by its number.
    """

    namespace: Namespace
    status: dict[str, Any]
    trials: dict[int, dict[str, Any]]
    before: dict[int, dict[str, Any]]

    def events(self) -> set[str]:
        found = json.loads(self.namespace.kubectl("get", "events", "-o", "json"))["items"]
        return {event["reason"] for event in found}


@pytest.fixture(scope="module")
def ended(tools: Tools, new_namespace: Callable[[], Namespace]) -> Iterator[Ended]:
    """The demo's job with pauses and fewer trials, one after the other; two are interrupted in mid-training."""
    namespace = new_namespace()
    storage, job = yaml.safe_load_all(PAUSING.read_text())
    job["metadata"]["name"] = JOB
    job["spec"] |= {
        "seed": 7,
        "limits": {"maxTrials": len(SETTINGS), "maxParallelTrials": 1},
        "initialTrials": [
            {"parameters": {"optimizer": "sgd", "learning_rate": rate, "mini_batch_size": size}}
            for rate, size in SETTINGS
        ],
    }
    job["spec"]["staticParameters"] |= {"num_training_samples": "3000", "warmup_epochs": "8"}
    with volume_on_node(tools.kubectl, namespace.name):
        namespace.apply(storage)
        namespace.apply(job)
        try:
            before = {EVICTED: evict(namespace, EVICTED), PAUSED: wait_for_pause(namespace, PAUSED)}
            status = namespace.wait_for_end(JOB)
            yield Ended(namespace, status, statuses(namespace), before)
        finally:  # a Pod that is left would hold the volume, whose removal waits for it
            namespace.kubectl("delete", "tuningjob", "--all", "--timeout=60s")


def statuses(namespace: Namespace) -> dict[int, dict[str, Any]]:
    return {trial["spec"]["number"]: dict(trial.get("status", {})) for trial in namespace.trials(JOB)}


def wait_for_start(namespace: Namespace, number: int) -> None:
    """Wait for a trial's turn: how long the trainings before it take, the machine decides."""
    wait_until(lambda: number in statuses(namespace), f"trial {number} is there", 300, lambda: statuses(namespace))


def evict(namespace: Namespace, number: int) -> dict[str, Any]:
    """Evict a trial's first Pod in mid-training, and return the curve that was recorded before."""

    def curve() -> dict[str, Any] | None:
        found: dict[str, Any] = statuses(namespace).get(number, {}).get("curve", {"epochs": []})
        return found if len(found["epochs"]) >= 2 else None

    wait_for_start(namespace, number)
    recorded = wait_until(curve, "two epochs are recorded")
    pod = f"{JOB}-{number:04d}-1"
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace.name},
    }
    path = f"/api/v1/namespaces/{namespace.name}/pods/{pod}/eviction"
    namespace.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    return recorded


def wait_for_pause(namespace: Namespace, number: int) -> dict[str, Any]:
    """Wait until a trial is paused, and return its curve."""

    def paused() -> dict[str, Any] | None:
        status = statuses(namespace).get(number, {})
        return status["curve"] if status.get("phase") == "Paused" else None

    wait_for_start(namespace, number)
    return wait_until(paused, f"trial {number} is paused", describe=lambda: statuses(namespace))


def assert_continued(ended: Ended, number: int, known: int) -> None:
    """The second attempt trained the epochs that were missing, and the network of the first one."""
    log = ended.namespace.kubectl("logs", f"{JOB}-{number:04d}-2")
    assert f"resumed in epoch {known + 1} from /checkpoints/{JOB}-{number:04d}-" in log
    trained = [int(epoch) for epoch in re.findall(rf"^epoch ([0-9]+) of {EPOCHS}:", log, re.MULTILINE)]
    assert trained == list(range(known + 1, EPOCHS + 1))
    curve, before = ended.trials[number]["curve"], ended.before[number]["values"]
    assert curve["epochs"] == list(range(1, EPOCHS + 1))
    assert curve["values"][: len(before)] == before
    first, *_, next_one = map(float, curve["values"][: known + 1])
    assert next_one > first + 0.05, "a network that begins again would be where this one began"


def test_an_evicted_trial_goes_on_from_its_checkpoint(ended: Ended) -> None:
    trial = ended.trials[EVICTED]
    assert (trial["phase"], trial["attempt"], trial["disruptions"]) == ("Completed", 2, 1)
    (resumed,) = re.findall("resumed in epoch ([0-9]+)", ended.namespace.kubectl("logs", f"{JOB}-{EVICTED:04d}-2"))
    assert int(resumed) > len(ended.before[EVICTED]["epochs"]), "what was recorded is not trained again"
    assert_continued(ended, EVICTED, int(resumed) - 1)


def test_a_paused_trial_resumes_from_its_checkpoint_and_completes(ended: Ended) -> None:
    """It is paused for a new trial, and resumes when none is left."""
    trial, known = ended.trials[PAUSED], len(ended.before[PAUSED]["epochs"])
    assert (trial["phase"], trial["attempt"], trial["resumptions"]) == ("Completed", 2, 1)
    assert not trial.get("disruptions")
    assert not trial.get("failures")
    assert 2 <= trial["pauseDecision"]["epoch"] <= known < EPOCHS
    assert "repeatedEpochs" not in trial
    assert_continued(ended, PAUSED, known)


def test_the_job_completes_and_counts_what_its_pause_cost(ended: Ended) -> None:
    status = ended.status
    assert (status["phase"], status["completionReason"]) == ("Completed", "MaxTrialsReached")
    assert status["bestTrial"]["name"] == f"{JOB}-{EVICTED:04d}"
    assert status["trialCounts"]["paused"] == 0
    assert status["earlyStopping"]["resumptions"] == 1
    told = ended.events()
    assert {"TrialPaused", "TrialResumed"} <= told
    assert not {"EpochsRepeated", "MeasurementChanged"} & told
